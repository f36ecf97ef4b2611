"""h11 as an oracle: batches of requests in, what its server side makes of each out.

in    u32 count, then count times u32 length and the bytes; big endian
out   one line of JSON per batch: [[messages, refused, halt], ...], a message being [method, target, fields, content]
"""
import json
import struct
import sys

import h11


def messages_of(data):
    connection = h11.Connection(h11.SERVER)
    messages = []
    refused, halt = False, None
    content = b""
    request = None
    try:
        connection.receive_data(data)
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                break
            if isinstance(event, h11.Request):
                request, content = event, b""
            elif isinstance(event, h11.Data):
                content += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                fields = [[name.decode("latin1"), value.decode("latin1")] for name, value in request.headers]
                messages.append(
                    [request.method.decode("latin1"), request.target.decode("latin1"), fields, content.decode("latin1")]
                )
                connection.send(h11.Response(status_code=204, headers=[]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE:
                    halt = "closed"
                    break
                request = None
                connection.start_next_cycle()
            else:
                break
    except h11.RemoteProtocolError as error:
        refused = True
        # The head was good, so these stand in the trailers.
        if request is not None and ("Transfer-Encoding" in str(error) or "Content-Length" in str(error)):
            halt = "framing-trailer"
    except h11.LocalProtocolError:
        halt = "closed"
    return [messages, refused, halt]


def main():
    source, sink = sys.stdin.buffer, sys.stdout
    while True:
        head = source.read(4)
        if len(head) < 4:
            return
        results = []
        for _ in range(struct.unpack(">I", head)[0]):
            length = struct.unpack(">I", source.read(4))[0]
            results.append(messages_of(source.read(length)))
        sink.write(json.dumps(results))
        sink.write("\n")
        sink.flush()


main()
