// npm ws: connects with a token, subscribes to the topics given and prints every frame as a line of JSON.
const WebSocket = require('ws');

const [port, token, ...topics] = process.argv.slice(2);
const say = (value) => console.log(JSON.stringify(value));
const socket = new WebSocket(`ws://127.0.0.1:${port}/ws?token=${token}`);
socket.on('open', () => {
  say({ opened: true });
  socket.send(JSON.stringify({ type: 'subscribe', topics }));
});
socket.on('message', (data) => say({ frame: JSON.parse(data.toString()) }));
socket.on('unexpected-response', (request, response) => { say({ refused: response.statusCode }); process.exit(0); });
socket.on('close', (code, reason) => { say({ closed: code, reason: reason.toString() }); process.exit(0); });
socket.on('error', (error) => say({ failed: String(error) }));
