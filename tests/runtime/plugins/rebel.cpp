// A plugin that is loaded like any other and then breaks the rules of the ABI, as its requests tell it. Written against
// the C ABI, since the SDK would not let it.
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include <unistd.h>

#include "sdk/abi.h"

namespace {

std::string_view view_of(sb_bytes text) { return {text.data, text.size}; }
sb_bytes bytes(std::string_view text) { return {text.data(), text.size()}; }
std::string_view last_segment(std::string_view route) { return route.substr(route.rfind('/') + 1); }

/// The state is an order too: what the instance does when it is opened, seen or closed.
void* open_rebel(sb_bytes state, uint32_t, sb_sink*) {
  if (view_of(state) == "throws-in-open")
    throw std::runtime_error("thrown by open");
  if (view_of(state) == "null-in-open")
    return nullptr;
  return new std::string{view_of(state)};
}
void view_rebel(void* self, sb_sink* out) {
  if (*static_cast<std::string*>(self) == "throws-in-view")
    throw std::runtime_error("thrown by view");
  out->write(out->self, bytes(*static_cast<std::string*>(self) == "no-json-in-view" ? "{" : "{}"));
}
void close_rebel(void* self) {
  const bool throws = *static_cast<std::string*>(self) == "throws-in-close";
  delete static_cast<std::string*>(self);
  if (throws)
    throw std::runtime_error("thrown by close");
}

void answer(sb_outcome& out) { out.reply(out.self, 200, bytes("{}")); }
void become(sb_outcome& out, std::string_view state) { out.state(out.self, 1, bytes("customer-1"), bytes(state)); }

int decide_rebel(void* self, const sb_message* message, const sb_context*, sb_outcome* out) {
  const auto order = last_segment(view_of(message->route));
  if (view_of(message->name) == "PUT") { // the state that the next instance is opened from
    static_cast<std::string*>(self)->assign(order);
    become(*out, order);
    answer(*out);
    return 0;
  }
  if (order == "rebels") {
    become(*out, "tame");
    answer(*out);
    return 0;
  }
  if (order == "throws")
    throw std::runtime_error("thrown by decide");
  if (order == "throws-a-number")
    throw 7;
  if (order == "fails-silently")
    return 1;
  if (order == "hangs")
    ::usleep(1500 * 1000);
  if (order == "never-replies")
    return 0;
  if (order == "replies-twice")
    answer(*out);
  if (order == "huge-state")
    become(*out, std::string((16u << 20) + 1, 'x'));
  if (order == "empty-state")
    become(*out, "");
  if (order == "bad-event")
    out->event(out->self, bytes("rebel.bad"), bytes("customer-1"), bytes("r-1"), bytes("{"));
  if (order == "nameless-event")
    out->event(out->self, bytes("nodot"), bytes("customer-1"), bytes("r-1"), bytes("{}"));
  if (order == "bad-address")
    out->send(out->self, bytes("no body"), bytes("r 1"), bytes("hello"), bytes("{}"));
  if (order == "bad-timer")
    out->arm_timer(out->self, bytes(""), 1, bytes("{}"));
  if (order == "null-bytes")
    out->event(out->self, {nullptr, 9}, bytes("customer-1"), bytes("r-1"), bytes("{}"));
  if (order == "bad-reply")
    out->reply(out->self, 200, bytes("not JSON"));
  else if (order == "odd-status")
    out->reply(out->self, 99999, bytes("{}"));
  else
    answer(*out);
  return 0;
}

const sb_route routes[] = {{"POST", "/v1/rebels", SB_CREATE, nullptr},
                           {"GET", "/v1/rebels", SB_LIST, nullptr},
                           {"PUT", "/v1/rebels/{id}/{state}", SB_BY_ID, nullptr},
                           {"POST", "/v1/rebels/{id}/{order}", SB_BY_ID, nullptr}};
const sb_entity_type type{sizeof(sb_entity_type), "rebel",     "rebel",     1, routes, 4, nullptr, 0, &open_rebel,
                          &decide_rebel,          &view_rebel, &close_rebel};
const sb_entity_type* const types[] = {&type};
const sb_plugin plugin{sizeof(sb_plugin), SWITCHBOARD_ABI_MAJOR, SWITCHBOARD_ABI_MINOR, "rebel", "1.0.0", types, 1};

} // namespace

extern "C" {
__attribute__((section(SWITCHBOARD_MANIFEST_SECTION), used)) extern const char rebel_manifest[] =
    "abi=1.2\nname=rebel\nversion=1.0.0\n";
const sb_plugin* switchboard_plugin_entry() { return &plugin; }
}
