#include "broker/routing_keys.hpp"

#include "broker/amqp_reply.hpp"
#include "messages/properties.hpp"

namespace switchboard::broker {

further_keys copy_keys(const field_table& headers) {
  further_keys found;
  for (const auto name : {copy_header, blind_copy_header}) {
    const auto* value = headers.find(name);
    if (!value)
      continue;
    found.blind = name == blind_copy_header;
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

message_ptr without_blind_copies(const message& what) {
  auto properties = decode_properties(what.properties());
  if (!properties || !properties->headers)
    return make_message(what.exchange(), what.routing_key(), what.properties(), what.body(), what.persistent());
  properties->headers->erase(blind_copy_header);
  return make_message(what.exchange(), what.routing_key(), encode_properties(*properties), what.body(),
                      what.persistent());
}

} // namespace switchboard::broker
