/** The process of the kernel's store in `bench/store.ts`. */
import { openOctet } from '../store/octet.ts';
import { serveOrders } from '../store/rounds.ts';

serveOrders(openOctet);
