// The JSON of the WebSocket, both ways. Pure.
//
//   client  {"type":"subscribe"|"unsubscribe","topics":[…],"id":optional}
//   server  {"type":"subscribed"|"unsubscribed","topics":[…],"id":…}                       the request has been done
//           {"type":"error","code":400|403,"reason":…,"message":…,"topics":[…],"id":…}     nothing of it has
//           {"event":"call.created","type":"event","topic":…, the event's envelope, "data":{…}}
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "messages/envelope.hpp"
#include "messages/topic.hpp"

namespace switchboard::websocket {

/// A request whose every topic could be parsed.
struct command {
  enum class action { subscribe, unsubscribe };
  action what = action::subscribe;
  std::vector<topic_pattern> topics;
  std::vector<std::string> texts; ///< as the client wrote them, for the answer
  json id;                        ///< text or integer of the client's choice, or null
};

/// Why a request was refused as a whole.
struct refusal {
  int code = 400;
  std::string reason;  ///< stable: errc's text
  std::string message; ///< for people
  std::vector<std::string> topics;
  json id;
};

std::variant<command, refusal> decode_command(std::string_view text);

std::string encode_done(const command& done);
std::string encode(const refusal& why);

/// One frame for all who get it: the topic is the event's own place, not one subscriber's pattern.
std::string encode_event(const event& what);

} // namespace switchboard::websocket
