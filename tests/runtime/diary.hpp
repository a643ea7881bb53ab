// What tests of actors share: a diary to wait for, and a gate at which a handler stands.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace switchboard::runtime {

using namespace std::chrono_literals;

/// What happened, in order; tests wait for a line instead of sleeping.
class diary {
public:
  void write(std::string line) {
    const std::lock_guard hold{mutex_};
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }
  bool wait_for(std::size_t count) {
    std::unique_lock hold{mutex_};
    return changed_.wait_for(hold, 10s, [&] { return lines_.size() >= count; });
  }
  std::vector<std::string> lines() {
    const std::lock_guard hold{mutex_};
    return lines_;
  }
  bool wait_for_count(std::string_view line, std::ptrdiff_t wanted) {
    std::unique_lock hold{mutex_};
    return changed_.wait_for(hold, 10s, [&] { return std::count(lines_.begin(), lines_.end(), line) >= wanted; });
  }
  /// Whoever started has ended, to its last word: the supervisor's down message comes before that.
  bool wait_for_all_ends() {
    const auto count = [this](std::string_view what) {
      return std::count_if(lines_.begin(), lines_.end(), [&](const auto& line) { return line.ends_with(what); });
    };
    std::unique_lock hold{mutex_};
    return changed_.wait_for(hold, 10s, [&] { return count(" ends") == count(" starts"); });
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

/// Whoever passes stands there until it is opened.
struct gate {
  std::mutex mutex;
  std::condition_variable opened;
  bool entered = false, open = false;
  void pass() {
    std::unique_lock hold{mutex};
    entered = true;
    opened.notify_all();
    opened.wait(hold, [this] { return open; });
  }
  void wait_until_entered() {
    std::unique_lock hold{mutex};
    opened.wait(hold, [this] { return entered; });
  }
  void let_go() {
    const std::lock_guard hold{mutex};
    open = true;
    opened.notify_all();
  }
};

} // namespace switchboard::runtime
