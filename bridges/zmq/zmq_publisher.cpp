#include "bridges/zmq/zmq_publisher.hpp"

namespace switchboard::zmq_stream {

publisher::publisher(const options& how) : how_(how), context_(1), socket_(context_, ::zmq::socket_type::xpub) {
  socket_.set(::zmq::sockopt::sndhwm, static_cast<int>(how_.send_high_water_mark));
  socket_.set(::zmq::sockopt::linger, static_cast<int>(how_.linger.count()));
  socket_.set(::zmq::sockopt::maxmsgsize, how_.subscription_bytes_max);
  socket_.set(::zmq::sockopt::handshake_ivl, static_cast<int>(how_.handshake.count()));
  // PUB drops in silence; with this it says EAGAIN first, which is how drops get counted.
  socket_.set(::zmq::sockopt::xpub_nodrop, true);
}

expected<std::string> publisher::bind() {
  const auto where = "tcp://" + how_.host + ":" + (how_.port == 0 ? "*" : std::to_string(how_.port));
  try {
    socket_.bind(where);
  } catch (const ::zmq::error_t& why) {
    return {errc::io_failed, where + ": " + why.what()};
  }
  return socket_.get(::zmq::sockopt::last_endpoint);
}

bool publisher::has_subscribers() {
  ::zmq::message_t news; // a 1 and a topic, when the first one subscribes to it; a 0 and a topic for the end
  while (socket_.recv(news, ::zmq::recv_flags::dontwait))
    has_subscribers_ = has_subscribers_ || (news.size() > 0 && *news.data<char>() == 1);
  return has_subscribers_;
}

publisher::sent publisher::send(const zmq_message& what) {
  if (send_frames(what))
    return sent::to_all;
  socket_.set(::zmq::sockopt::xpub_nodrop, false); // now to those who have room
  send_frames(what);
  socket_.set(::zmq::sockopt::xpub_nodrop, true);
  return sent::dropped_for_some;
}

bool publisher::send_frames(const zmq_message& what) {
  const auto flags = ::zmq::send_flags::dontwait;
  return socket_.send(::zmq::buffer(what.topic), flags | ::zmq::send_flags::sndmore) &&
         socket_.send(::zmq::buffer(what.payload), flags);
}

} // namespace switchboard::zmq_stream
