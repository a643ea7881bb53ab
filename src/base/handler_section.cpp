// Map of this file: the slot of a thread -- all slots -- sections -- looking.
#include "base/handler_section.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include <time.h>

namespace switchboard {

namespace {

/// Right to a few milliseconds and much cheaper than the fine clock: it is read for each message.
std::int64_t coarse_now_ms() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// Of a slot's state; above them stands the number of the section.
constexpr std::uint64_t at_work = 1;
constexpr std::uint64_t looked_at = 2; ///< the section's end must wait for whoever looks
constexpr unsigned number_shift = 2;

} // namespace

// -- the slot of a thread ---------------------------------------------------------------------------------------------

/// Its thread writes it, watchers read it. What a section says of itself is stable while the state has that section's
/// number and the watcher, holding the mutex, has set looked_at: then the section can't end.
class handler_slot {
public:
  void begin(const watched_handler* who, std::string_view message) noexcept {
    who_ = who;
    message_ = message;
    since_ms_.store(coarse_now_ms(), std::memory_order_relaxed);
    state_.store(++number_ << number_shift | at_work, std::memory_order_release);
  }

  void end() noexcept {
    if (state_.exchange(number_ << number_shift, std::memory_order_acq_rel) & looked_at)
      on_end_looked_at();
  }

  const watched_handler* who() const noexcept { return who_; }
  std::string_view message() const noexcept { return message_; }
  void rest() noexcept { who_ = nullptr; }

  /// What runs here for `least`; `once`: and was not told before. Then what was told and has ended.
  void look(milliseconds least, bool once, std::vector<busy_handler>& to) {
    auto state = state_.load(std::memory_order_acquire);
    const auto took = milliseconds{coarse_now_ms() - since_ms_.load(std::memory_order_relaxed)};
    const bool slow = (state & at_work) != 0 && took >= least;
    if (!slow && !told_any_.load(std::memory_order_relaxed))
      return;
    const std::lock_guard hold{mutex_};
    if (once)
      std::move(ended_.begin(), ended_.end(), std::back_inserter(to)), ended_.clear();
    if (!slow || (once && told_) || !state_.compare_exchange_strong(state, state | looked_at))
      return;
    to.push_back({who_->handler_label(), std::string{message_}, took, false});
    if (once) {
      told_ = to.back();
      told_any_.store(true, std::memory_order_relaxed);
    }
  }

private:
  void on_end_looked_at() {
    const std::lock_guard hold{mutex_};
    if (!told_)
      return;
    told_->took = milliseconds{coarse_now_ms() - since_ms_.load(std::memory_order_relaxed)};
    told_->ended = true;
    ended_.push_back(std::move(*told_));
    told_.reset();
  }

  std::atomic<std::uint64_t> state_{0};
  std::atomic<std::int64_t> since_ms_{0};
  std::uint64_t number_ = 0;
  const watched_handler* who_ = nullptr;
  std::string_view message_;
  std::mutex mutex_;
  std::optional<busy_handler> told_; ///< under mutex_: of the section that runs
  std::vector<busy_handler> ended_;  ///< under mutex_: told once, not yet a second time
  std::atomic<bool> told_any_{false};
};

// -- all slots --------------------------------------------------------------------------------------------------------

namespace {

struct slot_list {
  std::mutex mutex;
  std::vector<handler_slot*> slots;
};

/// Never destroyed: threads may end after main().
slot_list& all_slots() {
  static auto* const all = new slot_list;
  return *all;
}

struct slot_of_thread {
  slot_of_thread() {
    const std::lock_guard hold{all_slots().mutex};
    all_slots().slots.push_back(&slot);
  }
  ~slot_of_thread() {
    const std::lock_guard hold{all_slots().mutex};
    std::erase(all_slots().slots, &slot);
  }
  handler_slot slot;
};

handler_slot& slot_here() {
  thread_local slot_of_thread here;
  return here.slot;
}

std::vector<busy_handler> look_at_all(milliseconds least, bool once) {
  std::vector<busy_handler> found;
  const std::lock_guard hold{all_slots().mutex};
  for (auto* slot : all_slots().slots)
    slot->look(least, once, found);
  return found;
}

} // namespace

// -- sections ---------------------------------------------------------------------------------------------------------

handler_section::handler_section(const watched_handler& who, std::string_view message) noexcept
    : slot_(slot_here()), outer_(slot_.who()), outer_message_(slot_.message()) {
  if (outer_)
    slot_.end();
  slot_.begin(&who, message);
}

handler_section::~handler_section() {
  slot_.end();
  if (outer_)
    slot_.begin(outer_, outer_message_);
  else
    slot_.rest();
}

// -- looking ----------------------------------------------------------------------------------------------------------

std::vector<busy_handler> look_for_slow_handlers(milliseconds least) { return look_at_all(least, true); }

std::vector<busy_handler> running_handlers(milliseconds least) { return look_at_all(least, false); }

} // namespace switchboard
