// A thread that does one job at a time for its owner.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace switchboard::store {

/// start and wait belong to one thread, the owner's. Jobs don't throw.
class helper_thread {
public:
  helper_thread() : thread_([this] { run(); }) {}
  helper_thread(const helper_thread&) = delete;
  helper_thread& operator=(const helper_thread&) = delete;
  /// Waits for the job.
  ~helper_thread() {
    {
      const std::lock_guard hold{mutex_};
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  /// Precondition: the job before is done.
  void start(std::function<void()> job) {
    {
      const std::lock_guard hold{mutex_};
      job_ = std::move(job);
    }
    changed_.notify_all();
  }
  /// Until the job is done.
  void wait() {
    std::unique_lock hold{mutex_};
    changed_.wait(hold, [this] { return job_ == nullptr; });
  }

private:
  void run() {
    std::unique_lock hold{mutex_};
    for (;;) {
      changed_.wait(hold, [this] { return job_ || stopping_; });
      if (!job_)
        return;
      hold.unlock();
      job_();
      hold.lock();
      job_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> job_; // under mutex_; called without it, for nobody else touches it then
  bool stopping_ = false;
  std::thread thread_; // last: starts when the rest is there
};

} // namespace switchboard::store
