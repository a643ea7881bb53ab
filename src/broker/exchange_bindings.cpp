#include "broker/exchange_bindings.hpp"

#include <algorithm>

#include "messages/wire.hpp"

namespace switchboard::broker {

std::optional<exchange_kind> exchange_kind_of(std::string_view type) noexcept {
  if (type == "direct")
    return exchange_kind::direct;
  if (type == "fanout")
    return exchange_kind::fanout;
  if (type == "topic")
    return exchange_kind::topic;
  if (type == "headers")
    return exchange_kind::headers;
  return std::nullopt;
}

std::string binding_identity(const binding_spec& spec) {
  auto sorted = spec.arguments.fields();
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  field_table arguments;
  for (auto& [name, value] : sorted)
    arguments.append(std::move(name), std::move(value));
  std::string identity;
  wire::put_long_string(identity, spec.source);
  wire::put_long_string(identity, end_key(spec));
  wire::put_long_string(identity, spec.routing_key);
  encode_fields(arguments, identity);
  return identity;
}

exchange_bindings::exchange_bindings(const exchange_spec& spec)
    : kind_(exchange_kind_of(spec.type).value_or(exchange_kind::direct)), internal_(spec.internal) {
  if (const auto* value = spec.arguments.find("alternate-exchange"))
    if (const auto* name = value->as_string())
      alternate_ = *name;
}

exchange_bindings exchange_bindings::with_alternate(std::optional<std::string> name) const {
  auto next = *this;
  next.alternate_ = std::move(name);
  return next;
}

exchange_bindings exchange_bindings::with(const binding_spec& spec, const endpoint_ptr& queue) const {
  auto next = *this;
  const auto end = end_key(spec);
  switch (kind_) {
  case exchange_kind::direct: {
    const auto* held = by_key_.find(spec.routing_key);
    next.by_key_ = by_key_.set(spec.routing_key, add_binding(held ? *held : destinations{}, end, queue));
    break;
  }
  case exchange_kind::fanout:
    next.all_ = add_binding(all_, end, queue);
    break;
  case exchange_kind::topic:
    next.topics_ = topics_.with(spec.routing_key, end, queue);
    break;
  case exchange_kind::headers:
    next.patterns_ = patterns_.set(binding_identity(spec),
                                   header_binding{header_pattern{spec.arguments}, add_binding({}, end, queue)});
    break;
  }
  return next;
}

exchange_bindings exchange_bindings::without(const binding_spec& spec) const {
  auto next = *this;
  const auto end = end_key(spec);
  switch (kind_) {
  case exchange_kind::direct:
    if (const auto* held = by_key_.find(spec.routing_key)) {
      auto left = remove_binding(*held, end);
      next.by_key_ = left.empty() ? by_key_.erase(spec.routing_key) : by_key_.set(spec.routing_key, std::move(left));
    }
    break;
  case exchange_kind::fanout:
    next.all_ = remove_binding(all_, end);
    break;
  case exchange_kind::topic:
    next.topics_ = topics_.without(spec.routing_key, end);
    break;
  case exchange_kind::headers:
    next.patterns_ = patterns_.erase(binding_identity(spec));
    break;
  }
  return next;
}

} // namespace switchboard::broker
