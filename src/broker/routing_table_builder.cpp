// The map of this file: the routing table that is a snapshot, then the builder that makes the next one.
#include "broker/routing_table_builder.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "broker/pointer_set.hpp"

namespace switchboard::broker {

namespace {

/// One message on its way through exchanges. Exchanges are visited once each, so cycles end.
class route_walk {
public:
  route_walk(const routing_state& state, const matched_message& what, const std::vector<std::string>& more_keys,
             std::vector<const endpoint*>& out)
      : state_(state), what_(what), more_keys_(more_keys), out_(out), first_(out.size()) {}

  void run(const exchange_bindings& start) {
    visit(start);
    if (room_.to_visit.empty())
      return finish();
    room_.seen.clear();
    room_.seen.insert(&start);
    while (!room_.to_visit.empty()) {
      const auto next = room_.to_visit.back();
      room_.to_visit.pop_back();
      enter(next);
    }
    finish();
  }

private:
  /// Kept per thread, so that routing allocates nothing in the steady state.
  struct scratch {
    match_scratch match;
    std::vector<std::string_view> to_visit;
    pointer_set seen;
  };
  static scratch& this_thread() {
    thread_local scratch room;
    return room;
  }

  void enter(std::string_view name) {
    const auto* at = state_.exchanges.find(name);
    if (at && room_.seen.insert(at))
      visit(*at);
  }

  void visit(const exchange_bindings& at) {
    if (const auto* delay = at.delay_for(what_))
      return out_.push_back(delay);
    bool taken = false; // by any key: the alternate exchange gets what no key leads anywhere
    const auto each = [&](const destinations& found) {
      taken = true;
      take(found);
    };
    at.match(what_, room_.match, each);
    for (const auto& key : more_keys_)
      at.match({key, what_.headers, what_.whole}, room_.match, each);
    if (!taken && at.alternate())
      room_.to_visit.push_back(*at.alternate());
  }

  void take(const destinations& found) {
    ++sets_;
    found.for_each([&](const std::string& end, const destination& to) {
      if (to.queue)
        out_.push_back(to.queue.get());
      else
        room_.to_visit.push_back(end_name(end));
    });
  }

  /// Within one set no queue stands twice; only several sets can name the same queue.
  void finish() {
    if (sets_ < 2)
      return;
    const auto first = out_.begin() + static_cast<std::ptrdiff_t>(first_);
    std::sort(first, out_.end(), [](const endpoint* left, const endpoint* right) {
      return std::pair{left->number, left} < std::pair{right->number, right};
    });
    out_.erase(std::unique(first, out_.end()), out_.end());
  }

  const routing_state& state_;
  const matched_message what_;
  const std::vector<std::string>& more_keys_;
  std::vector<const endpoint*>& out_;
  std::size_t first_;
  std::size_t sets_ = 0;
  scratch& room_ = this_thread();
};

class routes final : public routing_table {
public:
  explicit routes(routing_state state) : state_(std::move(state)) {}

  result route(std::string_view exchange, std::string_view routing_key, std::string_view headers,
               std::vector<const endpoint*>& out, bool from_client, const std::vector<std::string>& more_keys,
               const message* what) const override {
    if (exchange.empty()) {
      if (const auto* queue = state_.queues.find(routing_key))
        out.push_back(queue->get());
      for (const auto& key : more_keys)
        if (const auto* queue = state_.queues.find(key);
            queue && std::find(out.begin(), out.end(), queue->get()) == out.end())
          out.push_back(queue->get());
      return result::found;
    }
    const auto* at = state_.exchanges.find(exchange);
    if (!at)
      return result::no_exchange;
    if (at->internal() && from_client)
      return result::internal;
    route_walk{state_, {routing_key, headers, what}, more_keys, out}.run(*at);
    return result::found;
  }

  endpoint_ptr find_queue(std::string_view name) const override {
    const auto* found = state_.queues.find(name);
    return found ? *found : nullptr;
  }

  bool has_exchange(std::string_view name) const override { return name.empty() || state_.exchanges.find(name); }

  bool is_topic(std::string_view exchange) const override {
    const auto* at = state_.exchanges.find(exchange);
    return at && at->kind() == exchange_kind::topic;
  }

private:
  routing_state state_;
};

} // namespace

void routing_table_builder::add_queue(const endpoint_ptr& queue) {
  state_.queues = state_.queues.set(queue->name, queue);
  changed();
}

void routing_table_builder::remove_queue(std::string_view name) {
  state_.queues = state_.queues.erase(name);
  changed();
}

void routing_table_builder::add_exchange(const exchange_spec& spec, endpoint_ptr delay) {
  state_.exchanges = state_.exchanges.set(spec.name, exchange_bindings{spec, std::move(delay)});
  changed();
}

void routing_table_builder::set_alternate(std::string_view exchange, std::optional<std::string> name) {
  const auto* at = state_.exchanges.find(exchange);
  if (!at || (at->alternate() ? std::optional{*at->alternate()} : std::nullopt) == name)
    return;
  state_.exchanges = state_.exchanges.set(exchange, at->with_alternate(std::move(name)));
  changed();
}

void routing_table_builder::remove_exchange(std::string_view name) {
  state_.exchanges = state_.exchanges.erase(name);
  changed();
}

void routing_table_builder::bind(const binding_spec& spec) {
  const auto* at = state_.exchanges.find(spec.source);
  const auto* queue = spec.to_exchange ? nullptr : state_.queues.find(spec.destination);
  if (!at || (!queue && !spec.to_exchange))
    return;
  state_.exchanges = state_.exchanges.set(spec.source, at->with(spec, queue ? *queue : nullptr));
  changed();
}

void routing_table_builder::unbind(const binding_spec& spec) {
  const auto* at = state_.exchanges.find(spec.source);
  if (!at)
    return;
  state_.exchanges = state_.exchanges.set(spec.source, at->without(spec));
  changed();
}

std::shared_ptr<const routing_table> routing_table_builder::snapshot() {
  if (!snapshot_)
    snapshot_ = std::make_shared<const routes>(state_);
  return snapshot_;
}

} // namespace switchboard::broker
