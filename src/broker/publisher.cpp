#include "broker/publisher.hpp"

#include <algorithm>

#include <caf/send.hpp>

#include "broker/routing_keys.hpp"
#include "messages/properties.hpp"

namespace switchboard::broker {

void publisher::begin() {
  // Batches point into the routes they were made from, so these stay until the batches are gone. Not longer: routes
  // keep deleted queues alive, and a publisher may have nothing to say for hours.
  if (empty())
    collected_.routes_.reset();
}

routed publisher::publish(const message_ptr& what) { return route(what, {.exchange = what->exchange()}); }

routed publisher::publish(const message_ptr& what, durable_transaction& within, const queue_filter& may_take) {
  return route(what, {what->exchange(), !may_take, &within, may_take ? &may_take : nullptr});
}

routed publisher::publish_from(std::string_view exchange, const message_ptr& what, durable_transaction& within) {
  return route(what, {exchange, false, &within, nullptr});
}

routed publisher::publish_to(std::string_view queue, const message_ptr& what, durable_transaction& within) {
  if (!collected_.routes_)
    collected_.routes_ = broker_->routes();
  const auto found = collected_.routes_->find_queue(queue);
  if (!found)
    return routed::unroutable;
  const auto& to = static_cast<const queue_handle&>(*found);
  position at = 0;
  const auto kept_at = keep(to, what, &within, at);
  batch_for(&to).items.push_back({what, kept_at, false, next_ordinal_++});
  bytes_ += what->footprint();
  return routed::queued;
}

routed publisher::route(message_ptr what, const path& by) {
  const auto exchange = by.exchange;
  const auto key = what->routing_key();
  const bool replied = exchange.empty() && key.starts_with(reply_to_prefix) && reply(key, what);
  if (!collected_.routes_)
    collected_.routes_ = broker_->routes();
  found_.clear();
  std::string_view headers;
  if (carries_headers(what->properties()))
    if (auto glance = glance_properties(what->properties()))
      headers = glance->headers;
  std::vector<std::string> more_keys;
  if (may_have_copies(headers) || !what->hidden_keys().empty())
    more_keys = further_keys_of(*what, headers);
  switch (collected_.routes_->route(exchange, key, headers, found_, by.from_client, more_keys, &*what)) {
  case routing_table::result::no_exchange:
    return routed::no_exchange;
  case routing_table::result::internal:
    return routed::internal;
  case routing_table::result::found:
    break;
  }
  const auto ordinal = next_ordinal_++;
  message_ptr whole; // what waits is routed once more, by its blind copy keys too
  if (!more_keys.empty() || may_have_copies(headers)) {
    whole = what;
    what = without_blind_copies(what);
  }
  if (by.may_take)
    std::erase_if(found_, [&](const endpoint* to) { return !(*by.may_take)(to->name); });
  std::erase_if(found_, [&](const endpoint* to) { return !to->admits(*what); });
  if (found_.empty())
    return replied ? routed::replied : routed::unroutable;
  position at = 0;
  for (const auto* to : found_) {
    const auto* queue = static_cast<const queue_handle*>(to);
    const auto& copy = whole && queue->kind == endpoint_kind::delay ? whole : what;
    const auto kept_at = keep(*queue, copy, by.within, at);
    batch_for(queue).items.push_back({copy, kept_at, false, ordinal});
  }
  bytes_ += what->footprint();
  return routed::queued;
}

position publisher::keep(const queue_handle& queue, const message_ptr& what, durable_transaction* within,
                         position& at) {
  const bool ours = queue.keeps_itself() ? within != nullptr : what->persistent();
  if (!queue.durable || !ours)
    return 0;
  if (at == 0) // one for all its queues
    at = broker_->log().take_positions(1);
  if (!within && !durable_)
    durable_ = broker_->log().begin();
  (within ? within : durable_.get())->put_message(queue.number, at, what);
  collected_.durable_ = true;
  return at;
}

/// False if nobody has that address.
bool publisher::reply(std::string_view address, const message_ptr& what) {
  auto target = broker_->replies().find(address);
  if (!target)
    return false;
  auto& replies = collected_.replies_;
  if (replies.empty() || replies.back().first != target->actor || replies.back().second.key != target->key)
    replies.emplace_back(std::move(target->actor), direct_reply{target->key, {}});
  bytes_ += what->footprint();
  replies.back().second.messages.push_back(without_blind_copies(what));
  return true;
}

enqueue_batch& publisher::batch_for(const queue_handle* queue) {
  for (auto& [to, batch] : collected_.batches_)
    if (to == queue)
      return batch;
  return collected_.batches_.emplace_back(queue, enqueue_batch{}).second;
}

publisher::sent publisher::flush(caf::event_based_actor* self, std::uint64_t token, std::function<void()> done) {
  auto& batches = collected_.batches_;
  auto& replies = collected_.replies_;
  sent result{static_cast<std::uint32_t>(batches.size()), durable_ != nullptr, bytes_};
  // The log first: a queue may delete what it delivered before this thread returns, and a delete must follow its put.
  if (durable_)
    broker_->log().commit(std::exchange(durable_, nullptr), std::move(done));
  for (auto& [queue, batch] : batches) {
    batch.publisher = caf::actor_cast<caf::actor>(self);
    batch.token = token;
    self->send(queue->actor, std::move(batch));
  }
  for (auto& [actor, reply] : replies)
    self->send(actor, std::move(reply));
  batches.clear();
  replies.clear();
  bytes_ = 0;
  next_ordinal_ = 0;
  collected_.durable_ = false;
  begin();
  return result;
}

publisher::handoff publisher::take() {
  bytes_ = 0;
  next_ordinal_ = 0;
  return std::exchange(collected_, {});
}

void publisher::handoff::send() {
  for (auto& [queue, batch] : batches_)
    caf::anon_send(queue->actor, std::move(batch));
  for (auto& [actor, reply] : replies_)
    caf::anon_send(actor, std::move(reply));
  batches_.clear();
  replies_.clear();
}

} // namespace switchboard::broker
