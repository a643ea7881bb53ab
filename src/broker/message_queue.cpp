#include "broker/message_queue.hpp"

#include <algorithm>

#include "base/random.hpp"
#include "messages/properties.hpp"

namespace switchboard::broker {

namespace {

/// Settled places that may stand among those still out.
constexpr std::size_t gaps_max = 64;

constexpr auto by_sequence = [](const auto& a, const auto& b) { return a.sequence < b.sequence; };

/// The shorter of the queue's and the message's own time to live.
std::optional<milliseconds> life_of(const message& what, const queue_arguments& how) {
  if (!carries_expiration(what.properties()))
    return how.message_ttl;
  const auto glance = glance_properties(what.properties());
  const auto own = glance ? read_expiration(glance->expiration) : expected<milliseconds>{glance.error()};
  if (!own)
    return how.message_ttl;
  return how.message_ttl ? std::min(*how.message_ttl, *own) : *own;
}

std::string_view id_of(const message& what) {
  const auto glance = glance_properties(what.properties());
  return glance ? glance->message_id : std::string_view{};
}

std::uint8_t priority_of(const message& what) {
  const auto glance = glance_properties(what.properties());
  return glance ? glance->priority : std::uint8_t{0};
}

} // namespace

message_queue::message_queue(queue_arguments how)
    : how_(std::move(how)), group_input_(group_input(how_.group_by)), ready_(std::size_t{how_.max_priority} + 1) {
  if (how_.deduplicate)
    ids_.emplace(*how_.deduplicate);
}

bool message_queue::enqueue(queued item, instant now, std::vector<position>& done) {
  auto made = entry_of(std::move(item));
  latest_ = std::max(latest_, now);
  if (how_.rejects() && is_full(made.message->body().size())) { // it may come again: its id is not taken
    if (how_.when_full == overflow::reject_publish_dlx)
      leave(std::move(made), death::maxlen, done);
    else
      forget(made, done);
    return false;
  }
  if (ids_ && !ids_->enter(id_of(*made.message), now)) {
    if (made.at != 0)
      done.push_back(made.at);
    return true;
  }
  admit(std::move(made), now);
  return true;
}

void message_queue::restore(queued item, instant now, const past& before) {
  auto made = entry_of(std::move(item));
  if (ids_)
    ids_->enter(id_of(*made.message), now);
  made.returns = before.returns;
  if (before.record != 0)
    pasts_[made.sequence] = before;
  if (!before.due || *before.due <= now)
    return admit(std::move(made), now);
  prepare(made, now);
  failed_.emplace(*before.due, std::move(made));
}

message_queue::entry message_queue::entry_of(queued item) {
  entry made;
  made.message = std::move(item.message);
  made.at = item.at;
  made.sequence = next_sequence_++;
  made.redelivered = item.redelivered;
  return made;
}

void message_queue::prepare(entry& made, instant now) const {
  const auto& what = *made.message;
  if (const auto life = life_of(what, how_))
    made.expires = now + *life;
  if (how_.max_priority > 0)
    made.priority = std::min(priority_of(what), how_.max_priority);
  made.footprint = static_cast<std::uint32_t>(what.footprint());
  made.body_size = static_cast<std::uint32_t>(what.body().size());
}

void message_queue::admit(entry made, instant now) {
  prepare(made, now);
  ready_bytes_ += made.footprint;
  resident_bytes_ += made.footprint;
  ready_body_bytes_ += made.body_size;
  ++ready_count_;
  ready_[made.priority].push_back(std::move(made));
}

// -- paging ---------------------------------------------------------------------------------------------------------

bool message_queue::deep(std::size_t bytes) const noexcept {
  return !ids_ && // which are in the messages
         resident_bytes_ > bytes && std::any_of(ready_.begin(), ready_.end(), [](const level& ready) {
           return !ready.empty() && (ready.front().message || ready.back().message);
         });
}

void message_queue::page_out(std::size_t keep_bytes, std::uint64_t up_to) {
  std::uint64_t gone = 0;
  each_to_page_out(keep_bytes, up_to, [&](entry& item) {
    if (item.at == 0) // it came to stand here after spill()
      return;
    gone += item.footprint;
    item.message = {};
  });
  resident_bytes_ -= gone;
}

std::vector<message_queue::paged> message_queue::next_page(std::size_t bytes) const {
  std::vector<paged> page;
  const auto ready = std::find_if(ready_.rbegin(), ready_.rend(),
                                  [](const level& each) { return !each.empty() && !each.front().message; });
  if (ready == ready_.rend())
    return page;
  std::size_t taken = 0;
  for (auto item = ready->begin(); item != ready->end() && !item->message && taken < bytes; ++item) {
    page.push_back({item->at, item->spilled});
    taken += item->footprint;
  }
  return page;
}

void message_queue::page_in(const std::map<paged, message_ptr>& found, bool is_scarce) {
  for (auto& ready : ready_) {
    std::size_t damaged = 0;
    for (auto& item : ready) {
      if (item.message)
        break;
      const auto read = found.find({item.at, item.spilled});
      if (read == found.end())
        break;
      item.message = read->second;
      if (!item.message) {
        ++damaged;
        continue;
      }
      resident_bytes_ += item.footprint;
      item.unkept = is_scarce && ends_without_body();
    }
    for (auto item = ready.begin(); damaged > 0; --damaged) { // rare, so one by one
      item = std::find_if(item, ready.end(), [](const entry& each) { return !each.message; });
      --ready_count_;
      if (returned_count_ > 0 && item - ready.begin() < static_cast<std::ptrdiff_t>(returned_count_))
        --returned_count_;
      ready_bytes_ -= item->footprint;
      ready_body_bytes_ -= item->body_size;
      item = ready.erase(item);
    }
  }
}

void message_queue::unspill(entry& item) {
  if (!item.spilled)
    return;
  unspilled_.push_back(item.at);
  item.spilled = false;
  item.at = 0;
}

void message_queue::forget(const entry& item, std::vector<position>& done) {
  end_past(item);
  if (item.at)
    (item.spilled ? unspilled_ : done).push_back(item.at);
}

// -- attempts -------------------------------------------------------------------------------------------------------

void message_queue::fail(entry item, instant now, std::vector<position>& done) {
  auto& before = pasts_[item.sequence];
  ++before.failures;
  ++item.returns;
  const auto wait =
      retry_wait(*how_.retry, before.failures, mix_bits(item.sequence * 0x9e3779b97f4a7c15U + before.failures));
  if (!wait) {
    if (grouped())
      leave_group(item);
    return leave(std::move(item), death::rejected, done);
  }
  item.redelivered = true;
  const auto due = now + *wait;
  note(item, due);
  failed_.emplace(due, std::move(item));
}

void message_queue::wake(instant now) {
  latest_ = std::max(latest_, now);
  std::vector<entry> back;
  while (!failed_.empty() && failed_.begin()->first <= now) {
    back.push_back(std::move(failed_.begin()->second));
    failed_.erase(failed_.begin());
    if (grouped())
      leave_group(back.back());
  }
  make_ready(std::move(back), place::own);
}

std::optional<message_queue::instant> message_queue::next_wake() const {
  return failed_.empty() ? std::nullopt : std::optional{failed_.begin()->first};
}

std::uint32_t message_queue::failures_of(const entry& item) const {
  if (pasts_.empty())
    return 0;
  const auto found = pasts_.find(item.sequence);
  return found == pasts_.end() ? 0 : found->second.failures;
}

void message_queue::note(const entry& item, instant due) {
  if (item.at == 0 || item.spilled)
    return; // its attempts are not remembered longer than it is itself
  const auto& before = pasts_[item.sequence];
  unwritten_.push_back({item.sequence, item.at, before.failures, item.returns, due});
}

void message_queue::end_past(const entry& item) {
  if (ids_ && item.message)
    ids_->leave(id_of(*item.message), latest_);
  if (pasts_.empty())
    return;
  const auto found = pasts_.find(item.sequence);
  if (found == pasts_.end())
    return;
  forget_record(found->second);
  pasts_.erase(found);
}

// -- consumers ------------------------------------------------------------------------------------------------------

void message_queue::change(queue_arguments how) {
  how.max_priority = how_.max_priority;
  how.single_active_consumer = how_.single_active_consumer;
  how.counts_deliveries = how_.counts_deliveries;
  how.group_by = how_.group_by;
  how.deduplicate = how_.deduplicate;
  how_ = std::move(how);
}

std::uint32_t message_queue::reported_consumers() const noexcept {
  auto count = active_;
  if (how_.counts_deliveries && how_.single_active_consumer)
    count = std::min(count, 1u); // those that wait are none
  if (how_.counts_deliveries)
    for (const auto& [id, who] : consumers_)
      count += who->options.passive ? static_cast<std::uint32_t>(who->unsettled) : who->stopped && who->unsettled > 0;
  return count;
}

bool message_queue::may_add(bool exclusive) const noexcept {
  if (how_.counts_deliveries) // quorum queues know no exclusive use (RabbitMQ)
    return true;
  return !exclusive_ && (!exclusive || (active_ == 0 && !how_.single_active_consumer));
}

message_queue::consumer_id message_queue::add(consumer_options options) {
  auto made = std::make_unique<consumer>();
  made->id = next_id_++;
  made->options = options;
  auto& who = *made;
  consumers_.emplace(who.id, std::move(made));
  if (!options.passive) {
    regroup();
    ++active_;
    exclusive_ = options.exclusive;
    if (single_ == 0)
      single_ = who.id;
    make_wait(who);
  }
  return who.id;
}

bool message_queue::stop(consumer_id id) {
  auto found = consumers_.find(id);
  if (found == consumers_.end() || found->second->stopped)
    return false;
  auto& who = *found->second;
  if (!who.options.passive)
    regroup();
  who.stopped = true;
  const bool last = !who.options.passive && --active_ == 0;
  if (who.options.exclusive)
    exclusive_ = false;
  if (single_ == id)
    choose_single();
  erase_if_spent(who);
  return last;
}

bool message_queue::release(consumer_id id, std::vector<position>& done) {
  auto found = consumers_.find(id);
  if (found == consumers_.end())
    return false;
  auto& who = *found->second;
  std::vector<entry> returned;
  for (auto& item : who.out)
    if (!item.settled) {
      if (grouped())
        leave_group(item);
      returned.push_back(std::move(item));
    }
  unacked_ -= who.unsettled;
  who.unsettled = 0;
  who.out.clear();
  put_back(std::move(returned), done);
  if (who.stopped) {
    erase_if_spent(who);
    return false;
  }
  return stop(id);
}

void message_queue::settle(consumer_id id, delivery_number first, delivery_number last, verdict what,
                           std::vector<position>& done, instant now) {
  auto found = consumers_.find(id);
  if (found == consumers_.end())
    return;
  latest_ = std::max(latest_, now);
  auto& who = *found->second;
  std::vector<entry> returned;
  for (auto at = find_out(who, first); at != who.out.end() && at->number <= last; ++at) {
    if (at->settled)
      continue;
    auto item = *at;
    at->message = {};
    at->settled = true;
    --who.unsettled;
    --unacked_;
    if (grouped() && (what != verdict::reject || !how_.retry))
      leave_group(item);
    if (what == verdict::requeue)
      returned.push_back(std::move(item));
    else if (what == verdict::reject && how_.retry)
      fail(std::move(item), now, done);
    else if (what == verdict::reject)
      leave(std::move(item), death::rejected, done);
    else if (what != verdict::settled)
      forget(item, done);
    else {
      end_past(item);
      unspill(item);
    }
  }
  drop_settled(who);
  // A quorum queue without a delivery limit puts what a client returns at the tail (RabbitMQ 3.10 writes it anew).
  put_back(std::move(returned), done, how_.counts_deliveries && !how_.delivery_limit ? place::tail : place::own);
  if (who.stopped)
    erase_if_spent(who);
  else
    make_wait(who);
}

void message_queue::grant(consumer_id id, std::size_t messages, std::size_t bytes) {
  auto found = consumers_.find(id);
  if (found == consumers_.end())
    return;
  auto& who = *found->second;
  who.link_messages -= std::min(messages, who.link_messages);
  who.link_bytes -= std::min(bytes, who.link_bytes);
  make_wait(who);
}

void message_queue::set_prefetch(consumer_id id, std::uint32_t prefetch) {
  auto found = consumers_.find(id);
  if (found == consumers_.end())
    return;
  found->second->options.prefetch = prefetch;
  make_wait(*found->second);
}

std::optional<std::pair<delivery_number, queued>>
message_queue::get(consumer_id id, bool no_ack, std::vector<position>& done, std::optional<instant> now) {
  auto found = consumers_.find(id);
  if (found == consumers_.end())
    return std::nullopt;
  for (;; hold_back(pop_ready())) {
    if (ready_count_ == 0 || (now && is_over(head(), *now)))
      return std::nullopt;
    if (head_is_paged_out()) {
      starved_ = true;
      return std::nullopt;
    }
    if (!grouped() || !is_busy(group_of(*head().message)))
      break;
  }
  auto& who = *found->second;
  auto item = pop_ready();
  if (grouped())
    take_group(item);
  auto copy = shown(item);
  if (how_.counts_deliveries && item.returns == 0)
    copy.message = count_delivery(*copy.message, 0);
  const auto number = hand_to(who, std::move(item), done);
  who.link_messages = who.link_bytes = 0; // a get is answered, not streamed
  if (no_ack)
    settle(id, number, number, verdict::ack, done);
  return std::pair{number, std::move(copy)};
}

std::uint64_t message_queue::purge(std::vector<position>& done) {
  regroup();
  const auto count = ready();
  for (auto& [group, behind] : groups_) {
    for (const auto& item : behind)
      forget(item, done);
    behind.clear();
  }
  held_count_ = 0;
  for (auto& ready : ready_) {
    for (const auto& item : ready)
      forget(item, done);
    ready.clear();
  }
  ready_count_ = returned_count_ = ready_bytes_ = resident_bytes_ = ready_body_bytes_ = 0;
  const auto waited = failed_.size();
  for (const auto& [due, item] : failed_) {
    if (grouped())
      leave_group(item);
    forget(item, done);
  }
  failed_.clear();
  return count + waited;
}

std::vector<message_queue::ready_message> message_queue::look(std::uint64_t skip, std::uint64_t count,
                                                              std::size_t bytes) const {
  std::vector<ready_message> seen;
  std::size_t taken = 0;
  for (auto ready = ready_.rbegin(); ready != ready_.rend(); ++ready) {
    auto index = std::min<std::uint64_t>(skip, ready->size());
    skip -= index;
    for (; index < ready->size(); ++index) {
      if (seen.size() >= count || taken >= bytes)
        return seen;
      const auto& item = (*ready)[index];
      seen.push_back({item.sequence, item.message, {item.at, item.spilled}, item.redelivered});
      taken += item.footprint;
    }
  }
  return seen;
}

std::uint64_t message_queue::take_out(const std::function<bool(std::uint64_t sequence, position at)>& which, bool drop,
                                      std::vector<position>& done) {
  const auto before = ready_count_;
  for (auto& ready : ready_) {
    level kept;
    std::uint64_t index = 0;
    const auto returned = returned_count_;
    for (auto& item : ready) {
      const bool was_returned = index++ < returned;
      if (!which(item.sequence, item.spilled ? 0 : item.at)) {
        kept.push_back(std::move(item));
        continue;
      }
      --ready_count_;
      returned_count_ -= was_returned ? 1 : 0;
      ready_bytes_ -= item.footprint;
      ready_body_bytes_ -= item.body_size;
      if (item.message)
        resident_bytes_ -= item.footprint;
      if (drop || item.spilled)
        forget(item, done);
      else
        end_past(item);
    }
    ready = std::move(kept);
  }
  return before - ready_count_;
}

void message_queue::expire(instant now, std::vector<position>& done) {
  for (auto ready = ready_.rbegin(); ready != ready_.rend(); ++ready)
    while (!ready->empty() && is_over(ready->front(), now)) {
      if (!can_leave(ready->front(), death::expired))
        return; // not the next level: letters keep their order
      leave(pop(*ready), death::expired, done);
    }
}

std::optional<message_queue::instant> message_queue::next_expiry() const {
  std::optional<instant> next;
  for (const auto& ready : ready_)
    if (!ready.empty() && ready.front().expires != instant{} && (!next || ready.front().expires < *next))
      next = ready.front().expires;
  return next;
}

void message_queue::trim(std::vector<position>& done) {
  if (how_.when_full != overflow::drop_head)
    return;
  while (ready_count_ > 0 && ((how_.max_length && ready_count_ > *how_.max_length) ||
                              (how_.max_length_bytes && ready_body_bytes_ > *how_.max_length_bytes))) {
    if (!can_leave(head(), death::maxlen))
      return;
    leave(pop_ready(), death::maxlen, done);
  }
}

/// One more of that size would be too many.
bool message_queue::is_full(std::size_t more_bytes) const noexcept {
  return (how_.max_length && ready_count_ + 1 > *how_.max_length) ||
         (how_.max_length_bytes && ready_body_bytes_ + more_bytes > *how_.max_length_bytes);
}

void message_queue::leave(entry item, death why, std::vector<position>& done) {
  if (!is_dead_lettered(why))
    return forget(item, done);
  const auto failures = failures_of(item);
  if (item.message)
    unspill(item);
  end_past(item);
  dead_bytes_ += item.footprint;
  dead_.push_back({std::move(item.message), item.at, why, item.priority, failures, item.spilled});
}

bool message_queue::is_dead_lettered(death why) const noexcept {
  const bool failed = why == death::rejected || why == death::delivery_limit;
  return how_.dead_letter_exchange && (failed || !how_.own_dead_letters);
}

/// A dead letter needs its message, and not all of a deep queue at once.
bool message_queue::can_leave(const entry& item, death why) {
  if (!is_dead_lettered(why))
    return true;
  if (dead_waiting_ || dead_bytes_ >= dead_bytes_max) {
    dead_waiting_ = true;
    return false;
  }
  starved_ = starved_ || !item.message;
  return item.message != message_ptr{};
}

std::vector<message_queue::dead> message_queue::take_dead() {
  const auto others =
      std::find_if(dead_.begin(), dead_.end(), [](const dead& each) { return each.why != death::rejected; });
  std::stable_sort(dead_.begin(), others,
                   [](const dead& left, const dead& right) { return left.priority > right.priority; });
  if (!dead_waiting_)
    dead_bytes_ = 0;
  return std::exchange(dead_, {});
}

/// Of those of the highest priority the one that waits longest; a quorum queue knows no priority here (RabbitMQ).
void message_queue::choose_single() {
  const consumer* next = nullptr;
  for (const auto& [id, who] : consumers_) {
    if (who->stopped || who->options.passive)
      continue;
    const auto priority = [&](const consumer& of) { return how_.counts_deliveries ? 0 : of.options.priority; };
    if (!next || priority(*who) > priority(*next) || (priority(*who) == priority(*next) && id < next->id))
      next = who.get();
  }
  single_ = next ? next->id : 0;
  if (next)
    make_wait(*consumers_.at(single_));
}

bool message_queue::can_take(const consumer& who) const noexcept {
  return !who.stopped && !who.options.passive && (!how_.single_active_consumer || who.id == single_) &&
         (who.options.prefetch == 0 || who.unsettled < who.options.prefetch) && who.link_messages < link_messages_max &&
         who.link_bytes < link_bytes_max;
}

void message_queue::make_wait(consumer& who) {
  if (!who.waiting && can_take(who))
    stand_in_line(who);
}

void message_queue::stand_in_line(consumer& who) {
  who.waiting = true;
  waiting_[who.options.priority].push_back(&who);
}

void message_queue::make_wait_first(consumer& who) {
  who.waiting = true;
  waiting_[who.options.priority].push_front(&who);
}

message_queue::consumer* message_queue::next_consumer() {
  for (auto level = waiting_.begin(); level != waiting_.end();) {
    auto& line = level->second;
    while (!line.empty()) {
      auto* who = line.front();
      line.pop_front();
      who->waiting = false;
      if (can_take(*who))
        return who;
    }
    level = waiting_.erase(level);
  }
  return nullptr;
}

message_queue::level& message_queue::top() {
  auto top = ready_.rbegin();
  while (top->empty()) // one of them is not
    ++top;
  return *top;
}

message_queue::entry message_queue::pop_ready() { return pop(top()); }

message_queue::entry message_queue::pop(level& from) {
  auto item = std::move(from.front());
  from.pop_front();
  --ready_count_;
  if (returned_count_ > 0)
    --returned_count_;
  ready_bytes_ -= item.footprint;
  ready_body_bytes_ -= item.body_size;
  if (item.message)
    resident_bytes_ -= item.footprint;
  return item;
}

/// As a consumer gets it. What is kept stays as it was published: a dead letter doesn't tell its deliveries.
queued message_queue::shown(const entry& item) const {
  const bool counted = (how_.counts_deliveries || how_.retry) && item.returns > 0;
  const auto at = item.spilled ? 0 : item.at;
  return {counted ? count_delivery(*item.message, item.returns) : item.message, at, item.redelivered};
}

delivery_number message_queue::hand_to(consumer& who, entry item, std::vector<position>& done) {
  const auto number = who.next_number++;
  ++who.link_messages;
  who.link_bytes += item.message->footprint();
  if (who.options.no_ack) {
    if (grouped())
      leave_group(item);
    forget(item, done);
  } else {
    ++who.unsettled;
    ++unacked_;
    item.number = number;
    if (item.unkept)
      item.message = {};
    who.out.push_back(std::move(item));
  }
  if (how_.counts_deliveries)
    make_wait(who);
  else if (!who.options.passive && !who.waiting)
    stand_in_line(who);
  return number;
}

void message_queue::put_back(std::vector<entry> returned, std::vector<position>& done, place where) {
  std::vector<entry> kept;
  kept.reserve(returned.size());
  for (auto& item : returned) {
    item.redelivered = true;
    ++item.returns;
    if (how_.delivery_limit && item.returns - failures_of(item) > *how_.delivery_limit) {
      leave(std::move(item), death::delivery_limit, done);
      continue;
    }
    if (how_.delivery_limit)
      note(item);
    kept.push_back(std::move(item));
  }
  make_ready(std::move(kept), where);
}

/// Behind nobody that came later, or at the tail.
void message_queue::make_ready(std::vector<entry> returned, place where) {
  if (returned.empty())
    return;
  if (!how_.counts_deliveries) // a quorum queue takes them back in the order in which they were out
    std::sort(returned.begin(), returned.end(), by_sequence);
  for (const auto& item : returned) {
    ++ready_count_;
    ready_bytes_ += item.footprint;
    resident_bytes_ += item.message ? item.footprint : 0;
    ready_body_bytes_ += item.body_size;
  }
  if (where == place::tail) {
    for (auto& item : returned) {
      auto before = pasts_.extract(item.sequence);
      item.sequence = next_sequence_++;
      if (before)
        pasts_.emplace(item.sequence, before.mapped());
      ready_.front().push_back(std::move(item));
    }
    return;
  }
  if (how_.counts_deliveries) {
    auto& ready = ready_.front();
    ready.insert(ready.begin() + static_cast<std::ptrdiff_t>(returned_count_),
                 std::make_move_iterator(returned.begin()), std::make_move_iterator(returned.end()));
    returned_count_ += returned.size();
    return;
  }
  if (ready_.size() == 1)
    return put_back(ready_.front(), std::move(returned));
  for (std::size_t priority = 0; priority < ready_.size(); ++priority) {
    std::vector<entry> of_level;
    for (auto& item : returned)
      if (item.priority == priority)
        of_level.push_back(std::move(item));
    put_back(ready_[priority], std::move(of_level));
  }
}

/// Sorted ones, into their places.
void message_queue::put_back(level& ready, std::vector<entry> returned) {
  if (returned.empty())
    return;
  const auto middle = static_cast<std::ptrdiff_t>(returned.size());
  ready.insert(ready.begin(), std::make_move_iterator(returned.begin()), std::make_move_iterator(returned.end()));
  const auto tail = ready.begin() + middle;
  // Only what is older than something returned has to move; usually nothing is.
  if (tail != ready.end() && by_sequence(*tail, *(tail - 1))) {
    const auto end = std::lower_bound(tail, ready.end(), *(tail - 1), by_sequence);
    std::inplace_merge(ready.begin(), tail, end, by_sequence);
  }
}

/// The first that is out under that number or a higher one. By subtraction as long as nothing between was closed up.
std::deque<message_queue::entry>::iterator message_queue::find_out(consumer& who, delivery_number first) {
  auto& out = who.out;
  if (out.empty() || first <= out.front().number)
    return out.begin();
  if (const auto index = first - out.front().number; index < out.size() && out[index].number == first)
    return out.begin() + static_cast<std::ptrdiff_t>(index);
  return std::lower_bound(out.begin(), out.end(), first,
                          [](const entry& item, delivery_number number) { return item.number < number; });
}

void message_queue::drop_settled(consumer& who) {
  while (!who.out.empty() && who.out.front().settled)
    who.out.pop_front();
  // One message that is never settled must not keep the places of all that come after it.
  if (who.out.size() > 2 * who.unsettled + gaps_max)
    std::erase_if(who.out, [](const entry& item) { return item.settled; });
}

void message_queue::erase_if_spent(consumer& who) {
  if (!who.out.empty())
    return;
  if (who.waiting)
    std::erase(waiting_[who.options.priority], &who);
  consumers_.erase(who.id);
}

} // namespace switchboard::broker
