// Text that clients choose: a topic, then an event's customer, resource and id, one a line. A topic never selects
// another tenant's event; topics, routes, ids and times that are read can be written and read again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "messages/service_names.hpp"
#include "messages/topic.hpp"

using namespace switchboard;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

std::string_view take_line(std::string_view& text) {
  const auto line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

void check_topic(std::string_view topic, std::string_view customer, std::string_view resource, std::string_view id) {
  const auto read = topic_pattern::parse(topic);
  if (!read)
    return;
  const auto again = topic_pattern::parse(read->str());
  require(again.has_value() && *again == *read);
  require(is_identity(read->owner));
  // The rule once more, without our splitter: rebuild the topics that may select this event and compare whole texts.
  const auto owner = std::string{"customer_id:"}.append(customer);
  const auto of_resource = owner + ":" + std::string{resource};
  const auto of_any = owner + ":*";
  bool allowed = false;
  if (is_identity(customer)) { // else the text of the event would itself look like fields
    for (const auto& form : {owner, of_resource, of_any, of_resource + ":*", of_any + ":*",
                             of_resource + ":" + std::string{id}, of_any + ":" + std::string{id}})
      allowed |= topic == form;
  }
  if (is_identity(resource) && is_identity(id))
    require(read->matches(customer, resource, id) == allowed);
  if (read->owner != customer)
    require(!read->matches(customer, resource, id));
}

void check_time(std::string_view text) {
  if (const auto at = from_iso8601(text)) {
    const auto again = from_iso8601(to_iso8601(*at));
    require(again.has_value() && to_iso8601(*again) == to_iso8601(*at));
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest{reinterpret_cast<const char*>(data), size};
  const auto topic = take_line(rest);
  const auto customer = take_line(rest);
  const auto resource = take_line(rest);
  const auto id = take_line(rest);
  check_topic(topic, customer, resource, id);
  check_time(topic);
  if (const auto service = service_of_route(topic)) {
    require(!service->empty() && request_queue(*service).size() <= 255);
    require(service->find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos);
  }
  static_cast<void>(is_uuid(topic));
  return 0;
}
