#include "broker/exchange_bindings.hpp"

#include <algorithm>

#include "broker/delayed_messages.hpp"
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
  if (type == "x-consistent-hash")
    return exchange_kind::hash;
  return std::nullopt;
}

std::string_view routing_type(const exchange_spec& spec) noexcept {
  if (spec.type != delayed_type)
    return spec.type;
  return spec.arguments.text("x-delayed-type").value_or("");
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

exchange_bindings::exchange_bindings(const exchange_spec& spec, endpoint_ptr delay)
    : kind_(exchange_kind_of(routing_type(spec)).value_or(exchange_kind::direct)), internal_(spec.internal),
      delay_(std::move(delay)) {
  alternate_ = spec.arguments.text("alternate-exchange");
  if (kind_ == exchange_kind::hash)
    input_ = hash_input{spec.arguments};
}

exchange_bindings exchange_bindings::with_alternate(std::optional<std::string> name) const {
  auto next = *this;
  next.alternate_ = std::move(name);
  return next;
}

const endpoint* exchange_bindings::delay_for(const matched_message& what) const {
  return delay_ && delay_of(what.headers) ? delay_.get() : nullptr;
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
  case exchange_kind::hash: {
    const auto* held = weighted_.find(end);
    auto more = held ? *held : hash_binding{stable_hash(end), {}, {}};
    const auto weight = hash_weight(spec.routing_key); // the topology has checked it
    more.weights.emplace_back(binding_identity(spec), weight ? *weight : 1);
    more.to = add_binding(more.to, end, queue);
    next.weighted_ = weighted_.set(end, std::move(more));
    break;
  }
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
  case exchange_kind::hash:
    if (const auto* held = weighted_.find(end)) {
      auto left = *held;
      std::erase_if(left.weights, [&](const auto& each) { return each.first == binding_identity(spec); });
      left.to = remove_binding(left.to, end);
      next.weighted_ = left.to.empty() ? weighted_.erase(end) : weighted_.set(end, std::move(left));
    }
    break;
  }
  return next;
}

const destinations* exchange_bindings::choose(const matched_message& what, std::vector<header_field>& room) const {
  if (weighted_.empty())
    return nullptr;
  const auto value = input_.of(what.whole ? what.whole->routing_key() : what.key, what.headers, what.whole, room);
  const destinations* chosen = nullptr;
  double lowest = 0;
  weighted_.for_each([&](const std::string&, const hash_binding& each) {
    const auto drawn = hash_draw(value, each.hash, each.weights.front().second);
    if (!chosen || drawn < lowest) {
      chosen = &each.to;
      lowest = drawn;
    }
  });
  return chosen;
}

} // namespace switchboard::broker
