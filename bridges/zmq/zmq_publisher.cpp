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
  // XPUB hands on the first subscription to a topic (a 1 before it) and the end of its last one (a 0).
  ::zmq::message_t news;
  while (socket_.recv(news, ::zmq::recv_flags::dontwait)) {
    const auto* what = news.data<char>();
    if (news.size() > 0 && what[0] == 1)
      ++topics_;
    else if (news.size() > 0 && what[0] == 0 && topics_ > 0)
      --topics_;
  }
  return topics_ > 0;
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
