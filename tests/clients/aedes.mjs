// A broker of another make: aedes, which speaks MQTT 3.1.1 and not 5. Prints its port.
import { Aedes } from "aedes";
import { createServer } from "node:net";

const broker = await Aedes.createBroker();
const server = createServer(broker.handle);
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
