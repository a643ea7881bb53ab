// A lookout: hears how calls end and announces those that nobody answered. A subscriber keeps no state; it hears every
// event of a type once, those of one call in their order.
#include "sdk/plugin.hpp"

namespace {

using namespace switchboard;
using sdk::context, sdk::message, sdk::task;

std::string text_in(const json& data, const char* name) {
  const auto found = data.is_object() ? data.find(name) : data.end();
  return found != data.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

task call_ended(const message& msg, const context&) {
  if (!msg.body())
    throw sdk::permanent_error("the event cannot be read"); // a dead letter at once: it never will be
  const auto reason = text_in(*msg.body(), "hangup_reason");
  if (reason != "noanswer" && reason != "busy")
    return {};
  // from_id is the call; what is announced is about it, and belongs to the same customer.
  return task{}.event_about(msg.from_id, "lookout.missed", {{"call_id", msg.from_id}, {"reason", reason}});
}

const sdk::stateless_type& type() {
  static const auto made = sdk::subscriber("lookout", {sdk::on("call.ended", call_ended)});
  return made;
}

} // namespace

SWITCHBOARD_PLUGIN("lookout", "1.0.0", &type)
