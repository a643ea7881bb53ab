#include "bridges/amqp/amqp_channel.hpp"

#include <algorithm>
#include <functional>

#include "base/random.hpp"
#include "bridges/amqp/amqp_session.hpp"
#include "broker/amqp_reply.hpp"
#include "broker/queue_arguments.hpp"
#include "broker/routing_keys.hpp"
#include "broker/stream_arguments.hpp"
#include "messages/properties.hpp"

namespace switchboard::amqp {

using broker::action;
using broker::verdict;

namespace {

constexpr std::string_view queue_word = "queue";
constexpr std::string_view exchange_word = "exchange";

/// What a queue that the server names is called while it is asked whether the client may have one.
constexpr std::string_view server_made_prefix = "amq.gen-";

/// The broker's error texts begin with AMQP's name of the code ("NOT_FOUND - no queue …"); the rest is the explanation.
struct named_error {
  reply_code code;
  std::string_view explanation;
};
named_error split(const error& why) {
  const auto code = static_cast<reply_code>(broker::reply_code(why));
  std::string_view text = why.what;
  if (const auto prefix = name(code); text.starts_with(prefix) && text.substr(prefix.size(), 3) == " - ")
    text.remove_prefix(prefix.size() + 3);
  return {code, text};
}

} // namespace

std::string channel::named(std::string_view kind, std::string_view name) const {
  return broker::named(kind, name, session_.vhost());
}

/// Fails the channel if the client's user may not.
bool channel::permit(broker::action what, std::string_view kind, std::string_view name, method_id fault) {
  if (kind == exchange_word && name.empty())
    name = "amq.default"; // what the default exchange is called in permissions
  if (session_.access().may(what, name))
    return true;
  fail(reply_code::access_refused, "access to " + named(kind, name) + " refused for user '" + session_.user() + "'",
       fault);
  return false;
}

/// The same for the routing key, where the exchange is a topic exchange.
bool channel::permit_topic(broker::action what, std::string_view exchange, std::string_view routing_key,
                           method_id fault) {
  if (session_.access().may_topic(what, exchange, routing_key) || !session_.broker()->routes()->is_topic(exchange))
    return true;
  fail(reply_code::access_refused,
       "access to topic '" + std::string{routing_key} + "' in exchange " + named(exchange_word, exchange) +
           " refused for user '" + session_.user() + "'",
       fault);
  return false;
}

void channel::fail(reply_code code, std::string_view explanation, method_id fault) {
  if (is_connection_error(code))
    return session_.fail(code, explanation, fault);
  if (closing_)
    return;
  session_.flush_publishes();
  session_.flush_settles();
  append_channel_close(session_.out(), number_, code, explanation, fault);
  closing_ = true;
  session_.forget(release());
  session_.wrote();
}

void channel::fail(const error& why, method_id fault) {
  const auto [code, explanation] = split(why);
  fail(code, explanation, fault);
}

std::vector<consumer*> channel::release() {
  building_.reset();
  give_back_body();
  if (transaction_)
    for (const auto& each : transaction_->publishes)
      session_.give_back_body(each.what->footprint());
  transaction_.reset();
  assembly_ = assembly::idle;
  parked_.clear();
  // Cancelled consumers whose messages are still out stand in no map any more, but in the unacked list.
  settled_.clear();
  unacked_.give_back_held();
  unacked_.take_all(settled_);
  std::vector<consumer*> all;
  for (const auto& range : settled_)
    if (range.from->cancelled && std::find(all.begin(), all.end(), range.from) == all.end())
      all.push_back(range.from);
  settled_.clear();
  for (auto& [tag, gone] : tags_)
    all.push_back(gone);
  for (auto& [number, gone] : getters_)
    all.push_back(gone);
  tags_.clear();
  getters_.clear();
  return all;
}

runtime::channel_report channel::report() const {
  runtime::channel_report all;
  all.number = number_;
  all.confirms = confirm_;
  all.transactional = transaction_.has_value();
  all.prefetch = prefetch_;
  all.prefetch_global = prefetch_global_;
  all.unacknowledged = unacked_.size();
  all.unconfirmed = publish_number_ - confirmed_number_;
  all.uncommitted = transaction_ ? transaction_->publishes.size() : 0;
  for (const auto& [tag, at] : tags_)
    all.consumers.push_back({tag, at->queue ? at->queue->name : std::string{broker::reply_to_name}, at->no_ack,
                             at->exclusive, at->prefetch});
  return all;
}

// -- methods --------------------------------------------------------------------------------------------------------

template <class Method>
std::optional<Method> channel::read(std::string_view payload) {
  Method what;
  if (decode_as(payload, what))
    return what;
  session_.fail(reply_code::frame_error, undecodable_text(payload), Method::id);
  return std::nullopt;
}

void channel::on_method(std::string_view payload) {
  const auto id = method_id_of(payload);
  if (closing_) {
    if (id == channel_close_ok::id)
      session_.drop_channel(number_); // ends *this
    else if (id == channel_close::id)
      append_method(session_.out(), number_, channel_close_ok{});
    return;
  }
  if (assembly_ != assembly::idle)
    return session_.fail(reply_code::unexpected_frame,
                         "expected content header for class 60, got non content header frame instead",
                         basic_publish::id);
  switch (id.key()) {
  case basic_publish::id.key():
    return on_publish(payload);
  case basic_ack::id.key():
    if (auto what = read<basic_ack>(payload))
      on_ack(what->delivery_tag, what->multiple, verdict::ack, id);
    return;
  case basic_nack::id.key():
    if (auto what = read<basic_nack>(payload))
      on_ack(what->delivery_tag, what->multiple, what->requeue ? verdict::requeue : verdict::reject, id);
    return;
  case basic_reject::id.key():
    if (auto what = read<basic_reject>(payload))
      on_ack(what->delivery_tag, false, what->requeue ? verdict::requeue : verdict::reject, id);
    return;
  default:
    break;
  }
  auto decoded = decode_method(payload);
  if (!decoded)
    return decoded.error().code == errc::bad_format ? session_.fail(reply_code::frame_error, decoded.error().what, id)
                                                    : session_.refuse_method(id);
  if (const auto* what = std::get_if<queue_declare>(&*decoded))
    declare_queue(*what);
  else if (const auto* what = std::get_if<queue_bind>(&*decoded))
    bind_queue(*what, true, what->no_wait);
  else if (const auto* what = std::get_if<queue_unbind>(&*decoded))
    bind_queue(*what, false, false);
  else if (const auto* what = std::get_if<queue_purge>(&*decoded))
    purge_queue(*what);
  else if (const auto* what = std::get_if<queue_delete>(&*decoded))
    delete_queue(*what);
  else if (const auto* what = std::get_if<exchange_declare>(&*decoded))
    declare_exchange(*what);
  else if (const auto* what = std::get_if<exchange_delete>(&*decoded))
    delete_exchange(*what);
  else if (const auto* what = std::get_if<exchange_bind>(&*decoded))
    bind_exchange(*what, true);
  else if (const auto* what = std::get_if<exchange_unbind>(&*decoded))
    bind_exchange(*what, false);
  else if (const auto* what = std::get_if<basic_qos>(&*decoded))
    on_qos(*what);
  else if (const auto* what = std::get_if<basic_consume>(&*decoded))
    consume(*what);
  else if (const auto* what = std::get_if<basic_cancel>(&*decoded))
    cancel(*what);
  else if (const auto* what = std::get_if<basic_get>(&*decoded))
    get(*what);
  else if (const auto* what = std::get_if<basic_recover>(&*decoded))
    recover(what->requeue, true, id);
  else if (const auto* what = std::get_if<basic_recover_async>(&*decoded))
    recover(what->requeue, false, id);
  else if (const auto* what = std::get_if<confirm_select>(&*decoded))
    select_confirm(*what);
  else if (std::holds_alternative<tx_select>(*decoded))
    select_transactions();
  else if (std::holds_alternative<tx_commit>(*decoded))
    commit();
  else if (std::holds_alternative<tx_rollback>(*decoded))
    rollback(id);
  else if (const auto* what = std::get_if<channel_close>(&*decoded))
    close(*what);
  else if (const auto* what = std::get_if<channel_flow>(&*decoded)) {
    if (!what->active)
      return session_.fail(reply_code::not_implemented, "active=false", id);
    append_method(session_.out(), number_, channel_flow_ok{true});
  } else if (std::holds_alternative<access_request>(*decoded))
    append_method(session_.out(), number_, access_request_ok{});
  else if (std::holds_alternative<channel_open>(*decoded))
    session_.fail(reply_code::channel_error, "second 'channel.open' seen", id);
  else // what only a server says, or only channel 0
    session_.fail(reply_code::command_invalid, "unimplemented method", id);
}

void channel::close(const channel_close&) {
  session_.flush_publishes();
  session_.flush_settles();
  session_.forget(release());
  append_method(session_.out(), number_, channel_close_ok{});
  session_.drop_channel(number_); // ends *this
}

// -- publishing -----------------------------------------------------------------------------------------------------

void channel::on_publish(std::string_view payload) {
  basic_publish what;
  if (!decode_as(payload, what))
    return session_.fail(reply_code::frame_error, undecodable_text(payload), basic_publish::id);
  if (what.immediate)
    return session_.fail(reply_code::not_implemented, "immediate=true", basic_publish::id);
  exchange_ = what.exchange;
  // An empty key on the default exchange means the queue declared last, as for every other empty queue name.
  routing_key_ = what.routing_key;
  if (routing_key_.empty() && exchange_.empty())
    routing_key_ = last_queue_;
  mandatory_ = what.mandatory;
  assembly_ = assembly::header;
}

void channel::on_header(std::string_view payload) {
  if (closing_)
    return;
  if (assembly_ == assembly::idle)
    return session_.fail(reply_code::unexpected_frame, "expected method frame, got non method frame instead");
  content_header header;
  decode_content_header(payload, header);
  if (assembly_ == assembly::body)
    return session_.fail(reply_code::unexpected_frame, "expected content body, got non content body frame instead",
                         basic_publish::id);
  if (header.class_id != basic_class)
    return session_.fail(reply_code::unexpected_frame,
                         "expected content header for class 60, got one for class " + std::to_string(header.class_id) +
                             " instead",
                         basic_publish::id);
  if (header.body_size > session_.how().message_bytes_max)
    return fail(reply_code::precondition_failed,
                "message size " + std::to_string(header.body_size) + " is larger than configured max size " +
                    std::to_string(session_.how().message_bytes_max),
                basic_publish::id);
  std::string rewritten;
  if (!check_properties(header.properties, rewritten))
    return;
  // Memory is taken as announced, so what is announced on all channels is bounded.
  if (!session_.claim_body(header.body_size))
    return session_.fail(reply_code::resource_error, "too many message bodies under way at once", basic_publish::id);
  claimed_ = header.body_size;
  const auto glance = glance_properties(header.properties);
  building_.emplace(exchange_, routing_key_, rewritten.empty() ? header.properties : std::string_view{rewritten},
                    header.body_size, glance->persistent);
  assembly_ = assembly::body;
  if (header.body_size == 0)
    finish_publish();
}

/// Checks what a publish's properties promise. `rewritten` is set if they must be changed: a direct reply-to gets the
/// name under which the answer finds this channel.
bool channel::check_properties(const std::string_view properties, std::string& rewritten) {
  const auto glance = glance_properties(properties);
  if (!glance) {
    session_.fail(reply_code::syntax_error, glance.error().what, basic_publish::id);
    return false;
  }
  // They are passed on as they are: no consumer gets a table it can't read, or one that nests without end.
  if (auto good = check_fields(glance->headers); !good) {
    session_.fail(reply_code::syntax_error, good.error().what, basic_publish::id);
    return false;
  }
  const auto refuse = [this](const error& why) {
    if (check_exchange()) // RabbitMQ looks at it first
      fail(why, basic_publish::id);
    return false;
  };
  if (glance->has_user_id && glance->user_id != session_.user())
    return refuse(broker::precondition_failed("user_id property set to '" + std::string{glance->user_id} +
                                              "' but authenticated user was '" + session_.user() + "'"));
  if (glance->has_expiration)
    if (auto life = broker::read_expiration(glance->expiration); !life)
      return refuse(life.error());
  if (const auto mode = glance->delivery_mode; mode != 1 && mode != 2)
    return refuse(broker::precondition_failed("invalid message: {delivery_mode_unknown," + std::to_string(mode) + "}"));
  if (auto good = broker::check_copy_keys(glance->headers); !good)
    return refuse(good.error());
  if (glance->reply_to == broker::reply_to_name) {
    const consumer* replies = nullptr;
    for (const auto& [tag, at] : tags_)
      if (!at->reply_name.empty())
        replies = at;
    if (!replies) {
      fail(reply_code::precondition_failed, "fast reply consumer does not exist", basic_publish::id);
      return false;
    }
    const auto at = static_cast<std::size_t>(glance->reply_to.data() - properties.data());
    rewritten.append(properties.substr(0, at - 1)); // up to the short string's length octet
    rewritten.push_back(static_cast<char>(replies->reply_name.size()));
    rewritten.append(replies->reply_name);
    rewritten.append(properties.substr(at + glance->reply_to.size()));
  }
  return true;
}

void channel::on_body(std::string_view payload) {
  if (closing_)
    return;
  if (assembly_ != assembly::body)
    return session_.fail(reply_code::unexpected_frame,
                         assembly_ == assembly::idle
                             ? "expected method frame, got non method frame instead"
                             : "expected content header for class 60, got non content header frame instead",
                         assembly_ == assembly::idle ? method_id{} : basic_publish::id);
  if (payload.size() > building_->missing())
    return session_.fail(reply_code::frame_error, "body is longer than its header said", basic_publish::id);
  building_->append(payload);
  if (building_->missing() == 0)
    finish_publish();
}

void channel::finish_publish() {
  if (!permit(action::write, exchange_word, exchange_, basic_publish::id) ||
      !permit_topic(action::write, exchange_, routing_key_, basic_publish::id))
    return;
  auto what = building_->finish();
  building_.reset();
  give_back_body();
  assembly_ = assembly::idle;
  if (!transaction_) {
    publish(what, mandatory_);
    return;
  }
  if (!check_exchange())
    return;
  // Until the commit it counts as a body under way, which is bounded.
  if (!session_.claim_body(what->footprint()))
    return session_.fail(reply_code::resource_error, "too many message bodies under way at once", basic_publish::id);
  transaction_->publishes.push_back({std::move(what), mandatory_});
}

/// Whether what is being published may go to its exchange; else the channel fails.
bool channel::check_exchange() {
  std::vector<const broker::endpoint*> ignored;
  const auto found = session_.broker()->routes()->route(exchange_, routing_key_, {}, ignored);
  if (found == broker::routing_table::result::found)
    return true;
  refuse_publish(found == broker::routing_table::result::internal);
  return false;
}

void channel::publish(const message_ptr& what, bool mandatory) {
  const auto fate = session_.publisher().publish(what);
  if (fate == broker::routed::no_exchange || fate == broker::routed::internal) {
    // A transaction was checked as it was built; an exchange that went since takes nothing and fails nothing.
    if (!transaction_)
      refuse_publish(fate == broker::routed::internal);
    return;
  }
  if (mandatory && fate != broker::routed::queued) {
    session_.confirm_earlier(number_);
    const auto shown = broker::without_blind_copies(what);
    append_return(session_.out(), number_, reply_code::no_route,
                  {shown->exchange(), shown->routing_key(), shown->properties(), shown->body()}, session_.frame_max());
  }
  publish_number_ += confirm_;
  session_.note_publish(number_);
}

void channel::refuse_publish(bool internal) {
  if (internal)
    fail(reply_code::access_refused, "cannot publish to internal " + named("exchange", exchange_), basic_publish::id);
  else
    fail(reply_code::not_found, "no " + named("exchange", exchange_), basic_publish::id);
}

// -- confirms and transactions --------------------------------------------------------------------------------------

void channel::select_confirm(const confirm_select& what) {
  if (transaction_)
    return fail(reply_code::precondition_failed, "cannot switch from tx to confirm mode", confirm_select::id);
  confirm_ = true;
  if (!what.no_wait)
    append_method(session_.out(), number_, confirm_select_ok{});
}

void channel::select_transactions() {
  if (confirm_)
    return fail(reply_code::precondition_failed, "cannot switch from confirm to tx mode", tx_select::id);
  if (!transaction_)
    transaction_.emplace();
  append_method(session_.out(), number_, tx_select_ok{});
}

bool channel::check_transactional(method_id fault) {
  if (!transaction_)
    fail(reply_code::precondition_failed, "channel is not transactional", fault);
  return transaction_.has_value();
}

/// Each publish is routed now; the answer comes when the queues have them and the log has synced what is durable.
void channel::commit() {
  if (!check_transactional(tx_commit::id))
    return;
  auto done = std::exchange(*transaction_, {});
  for (const auto& each : done.publishes)
    session_.give_back_body(each.what->footprint());
  for (const auto& each : done.publishes)
    publish(each.what, each.mandatory);
  session_.note_commit(number_);
  session_.flush_publishes(); // before what is settled makes room or comes back (RabbitMQ)
  settled_.clear();
  unacked_.take_held(settled_, [&](std::uint32_t number) { send_settled(done.settles[number - 1], tx_commit::id); });
  session_.flush_settles();
}

/// Deliveries acknowledged within are the client's to acknowledge once more; they are not sent again.
void channel::rollback(method_id fault) {
  if (!check_transactional(fault))
    return;
  for (const auto& each : transaction_->publishes)
    session_.give_back_body(each.what->footprint());
  *transaction_ = {};
  unacked_.give_back_held();
  append_method(session_.out(), number_, tx_rollback_ok{});
}

// -- deliveries and acknowledgements --------------------------------------------------------------------------------

void channel::on_deliver(consumer& to, broker::delivery_number first, std::vector<broker::queued>& items) {
  // What is parked is not granted back until it goes: else the whole queue would come to stand here.
  std::size_t passed = 0, bytes = 0;
  for (auto& item : items) {
    if (!has_room() || (!to.no_ack && !parked_.empty())) {
      parked_.push_back({&to, first, std::move(item)});
    } else {
      ++passed;
      bytes += item.message->footprint();
      forward(to, first, item);
    }
    ++first;
  }
  if (passed > 0)
    session_.passed_on(to, passed, bytes);
}

void channel::forward(consumer& to, broker::delivery_number number, const broker::queued& item) {
  to.out += !to.no_ack;
  pushed_out_ += !to.no_ack;
  const auto tag = unacked_.add(to.no_ack ? nullptr : &to, number);
  if (!to.no_ack)
    session_.watch_acks();
  deliver(to, tag, item.redelivered, item.message);
}

void channel::deliver(const consumer& to, std::uint64_t tag, bool redelivered, const message_ptr& what) {
  const content shown{what->exchange(), what->routing_key(), what->properties(), what->body()};
  if (shown.body.size() < outbox::by_reference_min)
    return append_deliver(session_.out(), number_, to.tag, tag, redelivered, shown, session_.frame_max());
  append_deliver_head(session_.out(), number_, to.tag, tag, redelivered, shown, session_.frame_max());
  session_.outgoing().append_body(number_, what, session_.frame_max());
}

bool channel::check_acks(std::chrono::steady_clock::time_point now) {
  const auto limit = session_.how().consumer_timeout;
  if (unacked_.overdue(now, limit))
    fail(reply_code::precondition_failed,
         "delivery acknowledgement on channel " + std::to_string(number_) +
             " timed out. Timeout value used: " + std::to_string(limit.count()) +
             " ms. This timeout value can be configured, see consumers doc guide to learn more",
         {});
  return unacked_.size() > 0;
}

void channel::forward_parked() {
  while (!parked_.empty() && has_room()) {
    auto next = std::move(parked_.front());
    parked_.pop_front();
    forward(*next.to, next.number, next.item);
    session_.passed_on(*next.to, 1, next.item.message->footprint());
  }
}

void channel::unpark(consumer& gone, bool requeue) {
  std::erase_if(parked_, [&](const parked& at) {
    if (at.to == &gone && gone.no_ack)
      forward(gone, at.number, at.item); // the queue has it no more
    else if (at.to == &gone && requeue)
      session_.settle(gone, at.number, at.number, verdict::requeue);
    return at.to == &gone;
  });
}

void channel::give_back_body() { session_.give_back_body(std::exchange(claimed_, 0)); }

void channel::on_direct_reply(consumer& to, const std::vector<message_ptr>& messages) {
  for (const auto& what : messages) {
    const auto tag = unacked_.add(nullptr, 0);
    deliver(to, tag, false, what);
  }
}

void channel::on_ack(std::uint64_t tag, bool multiple, verdict what, method_id fault) {
  if (!transaction_)
    return settle(tag, multiple, what, fault);
  auto& settles = transaction_->settles;
  const bool more = !settles.empty() && settles.back() == what; // methods that say the same count as one (RabbitMQ)
  const auto place = settles.size() + (more ? 0 : 1);
  if (!unacked_.hold(tag, multiple, static_cast<std::uint32_t>(place)))
    return fail(reply_code::precondition_failed, "unknown delivery tag " + std::to_string(tag), fault);
  // Of each other one at least one delivery is held, so there are not more of these than of those.
  if (!more && unacked_.last_held() == place)
    settles.push_back(what);
}

void channel::settle(std::uint64_t tag, bool multiple, verdict what, method_id fault) {
  settled_.clear();
  if (!unacked_.take(tag, multiple, settled_))
    return fail(reply_code::precondition_failed, "unknown delivery tag " + std::to_string(tag), fault);
  send_settled(what, fault);
}

/// What one method settles goes consumer by consumer, by their tags, and all of one before the queue hands anything
/// out: RabbitMQ's order, which shows in who gets what comes back.
void channel::send_settled(verdict what, method_id fault) {
  for (const auto& range : settled_)
    if (const auto* queue = range.from->queue.get();
        what != verdict::ack && queue && queue->kind == broker::endpoint_kind::stream)
      return fail(broker::not_for_streams("basic.nack and basic.reject", named(queue_word, queue->name)), fault);
  std::stable_sort(settled_.begin(), settled_.end(), [](const settled_range& left, const settled_range& right) {
    return left.from != right.from && left.from->tag < right.from->tag;
  });
  for (auto at = settled_.begin(); at != settled_.end(); ++at) {
    const auto& range = *at;
    auto& from = *range.from;
    const bool more = at + 1 != settled_.end() && (at + 1)->from == range.from;
    session_.settle(from, range.first, range.last, what, more);
    const auto count = range.last - range.first + 1;
    from.out -= count;
    pushed_out_ -= from.tag.empty() ? 0 : count;
    if (from.cancelled && from.out == 0) {
      session_.flush_settles();
      session_.remove_consumer(from);
    }
  }
  settled_.clear();
  forward_parked();
}

void channel::recover(bool requeue, bool answer, method_id fault) {
  if (!requeue)
    return session_.fail(reply_code::not_implemented, "requeue=false", fault);
  settled_.clear();
  unacked_.take_all(settled_);
  if (answer)
    append_method(session_.out(), number_, basic_recover_ok{});
  send_settled(verdict::requeue, fault);
}

void channel::on_qos(const basic_qos& what) {
  if (what.prefetch_size != 0)
    return session_.fail(reply_code::not_implemented, "prefetch_size!=0 (" + std::to_string(what.prefetch_size) + ")",
                         basic_qos::id);
  (what.global ? prefetch_global_ : prefetch_) = what.prefetch_count;
  append_method(session_.out(), number_, basic_qos_ok{});
  if (what.global)
    for (const auto& [tag, at] : tags_)
      if (at->queue)
        session_.send(at->queue->actor, broker::change_prefetch{session_.id(), at->key, queue_prefetch(*at)});
  forward_parked();
}

std::uint32_t channel::queue_prefetch(const consumer& of) const noexcept {
  return of.prefetch == 0 || (prefetch_global_ != 0 && prefetch_global_ < of.prefetch) ? prefetch_global_ : of.prefetch;
}

// -- consumers ------------------------------------------------------------------------------------------------------

consumer* channel::find_tag(std::string_view tag) {
  auto found = tags_.find(std::string{tag});
  return found == tags_.end() ? nullptr : found->second;
}

void channel::consume(const basic_consume& what) {
  std::string queue;
  if (!resolve_queue(what.queue, queue, basic_consume::id))
    return;
  auto* same_tag = find_tag(what.consumer_tag);
  if (what.queue == broker::reply_to_name && (!same_tag || !same_tag->reply_name.empty()))
    return consume_replies(what);
  if (same_tag)
    return session_.fail(reply_code::not_allowed,
                         "attempt to reuse consumer tag '" + std::string{what.consumer_tag} + "'", basic_consume::id);
  if (const auto most = session_.how().consumers_per_channel_max; most != 0 && tags_.size() >= most)
    return session_.fail(reply_code::not_allowed,
                         "reached maximum (" + std::to_string(most) + ") of consumers per channel", basic_consume::id);
  if (!permit(action::read, queue_word, queue, basic_consume::id))
    return;
  std::int32_t priority = 0;
  std::string wrong_priority;
  const auto arguments = decode_fields(what.arguments);
  if (!arguments)
    return session_.fail(reply_code::syntax_error, arguments.error().what, basic_consume::id);
  if (const auto* given = arguments->find("x-priority")) {
    const auto number = given->as_integer();
    priority = static_cast<std::int32_t>(std::clamp<std::int64_t>(number.value_or(0), INT32_MIN, INT32_MAX));
    if (!number)
      wrong_priority = "invalid arg 'x-priority' for " + named("queue", queue) + ": \"expected integer, got " +
                       std::string{given->type_name()} + "\"";
  }
  // The views end with this frame, the answer comes later.
  struct wish {
    std::string tag;
    bool no_ack, exclusive, no_wait;
    field_table arguments;
  };
  wish wanted{std::string{what.consumer_tag}, what.no_ack, what.exclusive, what.no_wait, *arguments};
  session_.ask<broker::queue_ok>(
      session_.broker()->topology(), broker::find_queue{queue, session_.owner()},
      [this, wanted, priority, wrong_priority](broker::queue_ok& found) {
        if (!wrong_priority.empty()) // of a queue that is there (RabbitMQ)
          return fail(reply_code::precondition_failed, wrong_priority, basic_consume::id);
        basic_consume again;
        again.consumer_tag = wanted.tag;
        again.no_ack = wanted.no_ack;
        again.exclusive = wanted.exclusive;
        again.no_wait = wanted.no_wait;
        start_consumer(again, found.queue, priority, wanted.arguments);
      },
      [this](const error& why) { fail(why, basic_consume::id); });
}

void channel::start_consumer(const basic_consume& what, broker::queue_ptr queue, std::int32_t priority,
                             const field_table& arguments) {
  std::string tag{what.consumer_tag};
  if (tag.empty())
    tag = "amq.ctag-" + random_name();
  auto& made = session_.add_consumer(number_, tag, std::move(queue), what.no_ack);
  made.exclusive = what.exclusive;
  made.prefetch = prefetch_;
  tags_.emplace(tag, &made);
  broker::start_consumer start;
  start.consumer = caf::actor_cast<caf::actor>(&session_);
  start.key = made.key;
  start.tag = tag;
  start.no_ack = what.no_ack;
  start.exclusive = what.exclusive;
  start.prefetch = queue_prefetch(made);
  start.own_prefetch = prefetch_;
  start.priority = priority;
  start.owner = session_.owner();
  start.arguments = arguments;
  session_.ask<broker::consume_ok>(
      made.queue->actor, std::move(start),
      [this, tag, no_wait = what.no_wait](broker::consume_ok&) {
        if (!no_wait)
          append_method(session_.out(), number_, basic_consume_ok{tag});
      },
      [this, tag, key = made.key](const error& why) {
        if (auto* gone = find_tag(tag); gone && gone->key == key) {
          tags_.erase(tag);
          session_.remove_consumer(*gone);
        }
        fail(why, basic_consume::id);
      });
}

void channel::consume_replies(const basic_consume& what) {
  if (!what.no_ack)
    return fail(reply_code::precondition_failed, "reply consumer cannot acknowledge", basic_consume::id);
  for (const auto& [tag, at] : tags_)
    if (!at->reply_name.empty())
      return fail(reply_code::precondition_failed, "reply consumer already set", basic_consume::id);
  std::string tag{what.consumer_tag};
  if (tag.empty())
    tag = "amq.ctag-" + random_name();
  auto& made = session_.add_consumer(number_, tag, nullptr, true);
  made.reply_name = session_.broker()->replies().add(caf::actor_cast<caf::actor>(&session_), made.key);
  tags_.emplace(tag, &made);
  if (!what.no_wait)
    append_method(session_.out(), number_, basic_consume_ok{tag});
}

void channel::cancel(const basic_cancel& what) {
  std::string tag{what.consumer_tag};
  auto* gone = find_tag(tag);
  const auto answer = [this, tag, no_wait = what.no_wait] {
    if (!no_wait)
      append_method(session_.out(), number_, basic_cancel_ok{tag});
  };
  if (!gone)
    return answer();
  tags_.erase(tag);
  if (!gone->queue) {
    session_.broker()->replies().remove(gone->reply_name);
    session_.remove_consumer(*gone);
    return answer();
  }
  gone->cancelled = true;
  auto queue = gone->queue->actor;
  const broker::cancel_consumer question{caf::actor_cast<caf::actor>(&session_), gone->key};
  // Messages that come before the answer are still the consumer's: it is forgotten once they are settled.
  const auto after = [this, key = gone->key, answer] {
    auto* left = session_.find_consumer(key);
    if (left)
      unpark(*left, true);
    answer();
    if (!left)
      return;
    session_.flush_settles();
    if (left->out == 0)
      session_.remove_consumer(*left);
  };
  session_.ask<broker::cancel_ok>(
      queue, question, [after](broker::cancel_ok&) { after(); }, [after](const error&) { after(); });
}

void channel::on_consumer_cancelled(consumer& gone) {
  if (!gone.cancelled && !gone.tag.empty()) {
    if (session_.knows_cancel_notify())
      append_method(session_.out(), number_, basic_cancel{gone.tag, true});
    tags_.erase(gone.tag);
  }
  std::erase_if(getters_, [&](const auto& at) { return at.second == &gone; });
  unpark(gone, false);
  gone.cancelled = true;
  if (gone.out == 0)
    session_.remove_consumer(gone);
}

void channel::get(const basic_get& what) {
  std::string queue;
  if (!resolve_queue(what.queue, queue, basic_get::id) || !permit(action::read, queue_word, queue, basic_get::id))
    return;
  session_.ask<broker::queue_ok>(
      session_.broker()->topology(), broker::find_queue{queue, session_.owner()},
      [this, no_ack = what.no_ack](broker::queue_ok& found) { take_one(found.queue, no_ack, basic_get::id); },
      [this](const error& why) { fail(why, basic_get::id); });
}

void channel::take_one(const broker::queue_ptr& queue, bool no_ack, method_id fault) {
  auto& taker = getters_[queue->number];
  if (!taker)
    taker = &session_.add_consumer(number_, {}, queue, false);
  session_.ask<broker::got>(
      queue->actor, broker::get{caf::actor_cast<caf::actor>(&session_), taker->key, no_ack},
      [this, key = taker->key, no_ack](broker::got& found) {
        auto* taker = session_.find_consumer(key);
        if (found.empty || !taker)
          return append_method(session_.out(), number_, basic_get_empty{});
        taker->out += !no_ack;
        const auto tag = unacked_.add(no_ack ? nullptr : taker, found.number);
        if (!no_ack)
          session_.watch_acks();
        const auto& item = *found.item.message;
        append_get_ok(session_.out(), number_, tag, found.item.redelivered, static_cast<std::uint32_t>(found.remaining),
                      {item.exchange(), item.routing_key(), item.properties(), item.body()}, session_.frame_max());
      },
      [this, fault](const error& why) { fail(why, fault); });
}

// -- topology -------------------------------------------------------------------------------------------------------

bool channel::resolve_queue(std::string_view given, std::string& name, method_id fault) {
  name = given.empty() ? last_queue_ : std::string{given};
  if (!name.empty())
    return true;
  fail(reply_code::not_found, "no previously declared queue", fault);
  return false;
}

void channel::declare_exchange(const exchange_declare& what) {
  auto arguments = decode_fields(what.arguments);
  if (!arguments)
    return session_.fail(reply_code::syntax_error, arguments.error().what, exchange_declare::id);
  if (!what.passive && !what.exchange.empty()) {
    if (!permit(action::configure, exchange_word, what.exchange, exchange_declare::id))
      return;
    if (const auto alternate = arguments->text("alternate-exchange"))
      if (!permit(action::read, exchange_word, what.exchange, exchange_declare::id) ||
          !permit(action::write, exchange_word, *alternate, exchange_declare::id))
        return;
  }
  broker::declare_exchange question;
  question.spec = {std::string{what.exchange}, std::string{what.type}, what.durable,
                   what.auto_delete,           what.internal,          std::move(*arguments)};
  question.passive = what.passive;
  session_.ask<broker::exchange_ok>(
      session_.broker()->topology(), std::move(question),
      [this, no_wait = what.no_wait](broker::exchange_ok&) {
        if (!no_wait)
          append_method(session_.out(), number_, exchange_declare_ok{});
      },
      [this](const error& why) { fail(why, exchange_declare::id); });
}

void channel::delete_exchange(const exchange_delete& what) {
  if (!what.exchange.empty() && !permit(action::configure, exchange_word, what.exchange, exchange_delete::id))
    return;
  session_.ask<broker::exchange_ok>(
      session_.broker()->topology(), broker::delete_exchange{std::string{what.exchange}, what.if_unused},
      [this, no_wait = what.no_wait](broker::exchange_ok&) {
        if (!no_wait)
          append_method(session_.out(), number_, exchange_delete_ok{});
      },
      [this](const error& why) { fail(why, exchange_delete::id); });
}

template <class Method>
void channel::bind_exchange(const Method& what, bool add) {
  auto arguments = decode_fields(what.arguments);
  if (!arguments)
    return session_.fail(reply_code::syntax_error, arguments.error().what, Method::id);
  if (!what.source.empty() && !what.destination.empty() &&
      (!permit(action::write, exchange_word, what.destination, Method::id) ||
       !permit(action::read, exchange_word, what.source, Method::id) ||
       !permit_topic(action::read, what.source, what.routing_key, Method::id)))
    return;
  broker::binding_spec spec{std::string{what.source}, std::string{what.destination}, true,
                            std::string{what.routing_key}, std::move(*arguments)};
  const auto then = [this, add, no_wait = what.no_wait](broker::bound&) {
    if (no_wait)
      return;
    if (add)
      append_method(session_.out(), number_, exchange_bind_ok{});
    else
      append_method(session_.out(), number_, exchange_unbind_ok{});
  };
  const auto failed = [this](const error& why) { fail(why, Method::id); };
  const auto& topology = session_.broker()->topology();
  if (add)
    session_.ask<broker::bound>(topology, broker::bind{std::move(spec), session_.owner()}, then, failed);
  else
    session_.ask<broker::bound>(topology, broker::unbind{std::move(spec), session_.owner()}, then, failed);
}

void channel::declare_queue(const queue_declare& what) {
  // Direct reply-to has no queue; clients ask whether a name is still good (RabbitMQ, direct reply-to).
  if (what.queue == broker::reply_to_name || what.queue.starts_with(broker::reply_to_prefix)) {
    if (what.queue != broker::reply_to_name && !session_.broker()->replies().find(what.queue))
      return fail(reply_code::not_found, "no " + named("queue", what.queue), queue_declare::id);
    if (!what.no_wait)
      append_method(session_.out(), number_, queue_declare_ok{what.queue, 0, 1});
    return;
  }
  auto arguments = decode_fields(what.arguments);
  if (!arguments)
    return session_.fail(reply_code::syntax_error, arguments.error().what, queue_declare::id);
  if (!what.passive) {
    const auto name = what.queue.empty() ? server_made_prefix : what.queue;
    if (!permit(action::configure, queue_word, name, queue_declare::id))
      return;
    if (const auto dead_letters = arguments->text("x-dead-letter-exchange"))
      if (!permit(action::read, queue_word, name, queue_declare::id) ||
          !permit(action::write, exchange_word, *dead_letters, queue_declare::id))
        return;
  }
  broker::declare_queue question;
  question.spec = {std::string{what.queue}, what.durable,          what.exclusive,
                   what.auto_delete,        std::move(*arguments), session_.owner()};
  question.passive = what.passive;
  question.queues_max = session_.queues_max();
  session_.ask<broker::queue_ok>(
      session_.broker()->topology(), std::move(question),
      [this, no_wait = what.no_wait](broker::queue_ok& found) {
        last_queue_ = found.queue->name;
        if (!no_wait)
          append_method(
              session_.out(), number_,
              queue_declare_ok{found.queue->name, static_cast<std::uint32_t>(found.messages), found.consumers});
      },
      [this](const error& why) { fail(why, queue_declare::id); });
}

template <class Method>
void channel::bind_queue(const Method& what, bool add, bool no_wait) {
  std::string queue;
  if (!resolve_queue(what.queue, queue, Method::id))
    return;
  auto arguments = decode_fields(what.arguments);
  if (!arguments)
    return session_.fail(reply_code::syntax_error, arguments.error().what, Method::id);
  // An empty queue name with an empty key means the last declared queue's name for both (0-9-1, queue.bind).
  std::string key{what.routing_key};
  if (key.empty() && what.queue.empty())
    key = queue;
  if (!permit(action::write, queue_word, queue, Method::id))
    return;
  if (!what.exchange.empty() && (!permit(action::read, exchange_word, what.exchange, Method::id) ||
                                 !permit_topic(action::read, what.exchange, key, Method::id)))
    return;
  broker::binding_spec spec{std::string{what.exchange}, queue, false, std::move(key), std::move(*arguments)};
  const auto then = [this, add, no_wait](broker::bound&) {
    if (no_wait)
      return;
    if (add)
      append_method(session_.out(), number_, queue_bind_ok{});
    else
      append_method(session_.out(), number_, queue_unbind_ok{});
  };
  const auto failed = [this](const error& why) { fail(why, Method::id); };
  const auto& topology = session_.broker()->topology();
  if (add)
    session_.ask<broker::bound>(topology, broker::bind{std::move(spec), session_.owner()}, then, failed);
  else
    session_.ask<broker::bound>(topology, broker::unbind{std::move(spec), session_.owner()}, then, failed);
}

void channel::purge_queue(const queue_purge& what) {
  std::string queue;
  if (!resolve_queue(what.queue, queue, queue_purge::id) || !permit(action::read, queue_word, queue, queue_purge::id))
    return;
  const auto failed = [this](const error& why) { fail(why, queue_purge::id); };
  session_.ask<broker::queue_ok>(
      session_.broker()->topology(), broker::find_queue{queue, session_.owner()},
      [this, no_wait = what.no_wait, failed](broker::queue_ok& found) {
        session_.ask<broker::purged>(
            found.queue->actor, broker::purge{},
            [this, no_wait](broker::purged& gone) {
              if (!no_wait)
                append_method(session_.out(), number_, queue_purge_ok{static_cast<std::uint32_t>(gone.messages)});
            },
            failed);
      },
      failed);
}

void channel::delete_queue(const queue_delete& what) {
  std::string queue;
  if (!resolve_queue(what.queue, queue, queue_delete::id) ||
      !permit(action::configure, queue_word, queue, queue_delete::id))
    return;
  session_.ask<broker::queue_deleted>(
      session_.broker()->topology(), broker::delete_queue{queue, session_.owner(), what.if_unused, what.if_empty},
      [this, no_wait = what.no_wait](broker::queue_deleted& gone) {
        if (!no_wait)
          append_method(session_.out(), number_, queue_delete_ok{static_cast<std::uint32_t>(gone.messages)});
      },
      [this](const error& why) { fail(why, queue_delete::id); });
}

} // namespace switchboard::amqp
