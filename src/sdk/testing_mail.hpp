// What is under way in the test kit's world, and its clock: deliveries that wait, timers, what comes late, what is
// tried again. Knows nothing of entities' states; the world asks for the next delivery and says how it went.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "sdk/testing_faults.hpp"

namespace switchboard::sdk::test_kit {

class mail {
public:
  mail(std::uint64_t seed, time_point start)
      : dice_("world", start, seed, std::make_shared<const json>(json::object())), now_(start) {}

  const context& dice() const noexcept { return dice_; }
  /// As the host makes them: what is made at a later time sorts later.
  std::string make_uuid() const { return context{"world", now_, dice_.random(), nullptr}.make_uuid(); }
  time_point now() const noexcept { return now_; }
  void now(time_point at) noexcept { now_ = std::max(now_, at); }
  void shuffled(bool on) noexcept { shuffled_ = on; }
  void spoil(faults how) { faults_ = std::move(how); }
  bool chance(double of) const {
    return of > 0 && static_cast<double>(dice_.random() >> 11) * 0x1p-53 < of; // no throw of the dice without faults
  }
  bool crashes() const { return chance(faults_.crash); }

  // -- deliveries ---------------------------------------------------------------------------------------------------

  /// Sends it, with whatever faults the dice say.
  void post(delivery one) {
    const auto& odds = faults_.of(one);
    if (one.kind != message_kind::timer) {
      if (chance(odds.lost))
        return;
      if (chance(odds.doubled))
        place(one, odds);
    }
    place(std::move(one), odds);
  }

  /// As it is: what a test sends by hand.
  void put(delivery one) { waiting_.push_back(std::move(one)); }

  const std::deque<delivery>& waiting() const noexcept { return waiting_; }

  /// The oldest one, or that of any pair if shuffled; of one pair always the first.
  std::optional<delivery> take() {
    if (waiting_.empty())
      return std::nullopt;
    auto chosen = waiting_.begin();
    if (shuffled_) {
      chosen += static_cast<std::ptrdiff_t>(dice_.random() % waiting_.size());
      const auto same_pair = [&](const delivery& d) { return d.from == chosen->from && d.to == chosen->to; };
      chosen = std::find_if(waiting_.begin(), waiting_.end(), same_pair);
    }
    auto next = std::move(*chosen);
    waiting_.erase(chosen);
    return next;
  }

  // -- what failed --------------------------------------------------------------------------------------------------

  /// Events and messages for an entity stand behind one of them that failed. True: it does so now.
  bool stand_behind(const delivery& one) {
    const auto found = held_.find(key_of(one.to));
    if (!is_ordered(one) || one.attempt > 1 || found == held_.end())
      return false;
    found->second.push_back(one);
    return true;
  }

  /// Its decision failed: after 1, 2, 4, 8, 16 and 32 s it comes again. False: there is no attempt left.
  bool try_again(delivery one) {
    constexpr unsigned attempts_max = 7;
    if (one.attempt >= attempts_max)
      return false;
    if (is_ordered(one))
      held_.try_emplace(key_of(one.to));
    const auto wait = std::chrono::seconds{1U << (one.attempt - 1)};
    ++one.attempt;
    delayed_.emplace(++order_, std::move(one));
    due_.insert({now_ + wait, order_, {}});
    return true;
  }

  /// It is over, done or dead: who stood behind it goes on.
  void over(const delivery& one) {
    if (!is_ordered(one) || one.attempt == 1)
      return;
    auto freed = held_.extract(key_of(one.to));
    if (freed)
      waiting_.insert(waiting_.begin(), freed.mapped().begin(), freed.mapped().end());
  }

  // -- timers and time ----------------------------------------------------------------------------------------------

  using timer_key = std::tuple<std::string, std::string, std::string>; // type, id, name

  void arm(const timer_key& key, milliseconds delay, std::string payload) {
    disarm(key);
    armed_timer made{now_ + delay, ++order_, std::move(payload)};
    if (chance(faults_.timers.late))
      made.due += late_by(faults_.timers);
    due_.insert({made.due, made.order, key});
    timers_[key] = std::move(made);
  }
  void disarm(const timer_key& key) {
    const auto found = timers_.find(key);
    if (found == timers_.end())
      return;
    due_.erase({found->second.due, found->second.order, key});
    timers_.erase(found);
  }
  std::vector<std::string> timers(const std::string& type, const std::string& id) const {
    std::vector<std::string> names;
    for (auto at = timers_.lower_bound({type, id, ""}); at != timers_.end(); ++at) {
      if (std::get<0>(at->first) != type || std::get<1>(at->first) != id)
        break;
      names.push_back(std::get<2>(at->first));
    }
    return names;
  }

  /// When the next timer fires, late message comes, or attempt is made.
  std::optional<time_point> next_due() const {
    return due_.empty() ? std::nullopt : std::optional{std::get<0>(*due_.begin())};
  }

  /// Moves to that time and lets it happen. False if nothing is due, ever.
  bool fire_next() {
    if (due_.empty())
      return false;
    const auto [at, order, key] = *due_.begin();
    due_.erase(due_.begin());
    now(at);
    if (const auto late = delayed_.find(order); late != delayed_.end()) {
      release(std::move(late->second));
      delayed_.erase(late);
      return true;
    }
    auto fired = timers_.extract(key).mapped();
    const entity_ref self{std::get<0>(key), std::get<1>(key)};
    waiting_.push_back({message_kind::timer, self, self, std::get<2>(key), std::move(fired.payload), {}});
    return true;
  }

  /// The node is down from now on for so long: nothing is lost. Attempts are counted anew, what was late is there, and
  /// timers that came due meanwhile fire now.
  void restart(milliseconds down) {
    now_ += down;
    for (auto& [order, one] : std::exchange(delayed_, {})) {
      std::erase_if(due_, [number = order](const auto& due) { return std::get<1>(due) == number; });
      const bool failed = one.attempt > 1;
      one.attempt = 1;
      auto behind = failed ? held_.extract(key_of(one.to)) : decltype(held_)::node_type{};
      failed ? waiting_.push_front(std::move(one)) : release(std::move(one));
      if (behind)
        waiting_.insert(waiting_.begin() + 1, behind.mapped().begin(), behind.mapped().end());
    }
    while (next_due() && *next_due() <= now_)
      fire_next();
  }

private:
  using address = std::pair<std::string, std::string>;
  struct armed_timer {
    time_point due{};
    std::uint64_t order = 0;
    std::string payload;
  };
  /// One way between two entities: events come by a queue of their own.
  struct way {
    address from, to;
    bool events = false;
    auto operator<=>(const way&) const = default;
  };

  static address key_of(const entity_ref& who) { return {who.type, who.id}; }
  static way way_of(const delivery& one) { return {key_of(one.from), key_of(one.to), one.kind == message_kind::event}; }
  static bool is_ordered(const delivery& one) noexcept { return one.kind != message_kind::timer; }

  milliseconds late_by(const chances& odds) const {
    const auto most = static_cast<std::uint64_t>(std::max(odds.late_max.count(), milliseconds::rep{1}));
    return milliseconds{static_cast<milliseconds::rep>(dice_.random() % most) + 1};
  }

  void place(delivery one, const chances& odds) {
    if (one.kind != message_kind::timer && chance(odds.reordered)) {
      const auto place = waiting_.begin() + static_cast<std::ptrdiff_t>(dice_.random() % (waiting_.size() + 1));
      waiting_.insert(place, std::move(one));
      return;
    }
    const auto blocked = late_.find(way_of(one));
    if (blocked != late_.end()) {
      blocked->second.push_back(std::move(one));
    } else if (chance(odds.late)) {
      late_.try_emplace(way_of(one));
      due_.insert({now_ + late_by(odds), ++order_, {}});
      delayed_.emplace(order_, std::move(one));
    } else {
      waiting_.push_back(std::move(one));
    }
  }

  /// A late one, and those behind it; or the next attempt of one that failed.
  void release(delivery one) {
    if (one.attempt > 1)
      return waiting_.push_front(std::move(one));
    auto behind = late_.extract(way_of(one));
    waiting_.push_back(std::move(one));
    if (behind)
      waiting_.insert(waiting_.end(), behind.mapped().begin(), behind.mapped().end());
  }

  context dice_;
  time_point now_;
  faults faults_;
  bool shuffled_ = false;
  std::uint64_t order_ = 0;
  std::deque<delivery> waiting_;
  std::map<std::uint64_t, delivery> delayed_;    ///< late ones and attempts, by their order in due_
  std::map<way, std::deque<delivery>> late_;     ///< behind a late one
  std::map<address, std::deque<delivery>> held_; ///< behind one that failed
  std::map<timer_key, armed_timer> timers_;
  std::set<std::tuple<time_point, std::uint64_t, timer_key>> due_;
};

} // namespace switchboard::sdk::test_kit
