#include "broker/routing_keys.hpp"

#include "broker/amqp_reply.hpp"
#include "messages/properties.hpp"
#include "messages/wire.hpp"

namespace switchboard::broker {

further_keys copy_keys(const field_table& headers) {
  further_keys found;
  for (const auto name : {copy_header, blind_copy_header}) {
    const auto* value = headers.find(name);
    if (!value)
      continue;
    const auto* list = std::get_if<field_array>(&value->value);
    if (!list) {
      found.wrong_header = name;
      found.wrong_type = value->type_name();
      return found;
    }
    for (const auto& one : *list)
      if (const auto* key = one.as_string())
        found.keys.push_back(*key);
  }
  return found;
}

expected<void> check_copy_keys(std::string_view headers) {
  if (!may_have_copies(headers))
    return {};
  const auto table = decode_fields(headers);
  if (!table)
    return {};
  const auto found = copy_keys(*table);
  if (found.wrong_header.empty())
    return {};
  return precondition_failed("invalid message: {unacceptable_type_in_header,\"" + std::string{found.wrong_header} +
                             "\"," + std::string{found.wrong_type} + "}");
}

message_ptr without_blind_copies(const message_ptr& what) {
  if (!carries_headers(what->properties()))
    return what;
  auto properties = decode_properties(what->properties());
  const auto* blind = properties && properties->headers ? properties->headers->find(blind_copy_header) : nullptr;
  if (!blind)
    return what;
  std::string hidden{what->hidden_keys()};
  if (const auto* list = std::get_if<field_array>(&blind->value))
    for (const auto& one : *list)
      if (const auto* key = one.as_string())
        wire::put_short_string(hidden, std::string_view{*key}.substr(0, 255));
  properties->headers->erase(blind_copy_header);
  return make_message(what->exchange(), what->routing_key(), encode_properties(*properties), what->body(),
                      what->persistent(), hidden);
}

std::vector<std::string> further_keys_of(const message& what, std::string_view headers) {
  std::vector<std::string> all;
  if (may_have_copies(headers))
    if (const auto table = decode_fields(headers))
      all = copy_keys(*table).keys;
  wire::reader hidden{what.hidden_keys()};
  while (!hidden.done())
    all.emplace_back(hidden.short_string());
  return all;
}

} // namespace switchboard::broker
