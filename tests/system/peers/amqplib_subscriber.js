// amqplib: declares a durable queue, binds it to a fanout exchange and prints each event as a line of JSON. With `ack`
// it acknowledges each by hand; with `bind-only` it leaves the events in the queue and ends.
const amqp = require('amqplib');

async function main() {
  const [port, exchange, queue, mode] = process.argv.slice(2);
  const connection = await amqp.connect(`amqp://guest:guest@127.0.0.1:${port}`);
  const channel = await connection.createChannel();
  await channel.assertExchange(exchange, 'fanout', { durable: true });
  await channel.assertQueue(queue, { durable: true });
  await channel.bindQueue(queue, exchange, '');
  console.log(JSON.stringify({ bound: queue }));
  if (mode === 'bind-only') {
    await connection.close();
    return;
  }
  await channel.prefetch(10);
  await channel.consume(queue, (message) => {
    const event = JSON.parse(message.content.toString());
    channel.ack(message);
    console.log(JSON.stringify({
      event_type: event.event_type, event_id: event.event_id, resource_id: event.resource_id,
      customer_id: event.customer_id, redelivered: message.fields.redelivered,
      persistent: message.properties.deliveryMode === 2, data: event.data,
    }));
  }, { noAck: false });
  console.log(JSON.stringify({ consuming: queue }));
}
main().catch((error) => { console.log(JSON.stringify({ failed: String(error) })); process.exit(1); });
