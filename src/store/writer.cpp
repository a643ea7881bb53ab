#include "store/writer.hpp"

#include <utility>

#include "store/applier.hpp"
#include "store/elision.hpp"

namespace switchboard::store {

namespace {

constexpr std::size_t expiries_per_group = 500; ///< few, so that no group waits long for them

} // namespace

writer::writer(lmdb_files& files, counters& numbers, settings how)
    : files_(files), numbers_(numbers), how_(std::move(how)), thread_([this] { run(); }) {}

writer::~writer() {
  {
    const std::lock_guard hold{mutex_};
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void writer::submit(batch what, completion done) {
  const auto bytes = what.footprint();
  {
    const std::lock_guard hold{mutex_};
    if (failure_)
      return;
    waiting_bytes_ += bytes;
    ++submitted_;
    incoming_.push_back({std::move(what), std::move(done)});
  }
  work_.notify_one();
}

expected<void> writer::flush() {
  if (std::this_thread::get_id() == thread_.get_id())
    return {errc::wrong_state, "flush() on the writer thread would wait for itself"};
  std::unique_lock hold{mutex_};
  const auto last = submitted_;
  settled_.wait(hold, [&] { return failure_ || (confirmed_ >= last && !wanted_ && !expiring_); });
  if (failure_)
    return *failure_;
  return {};
}

void writer::expire(time_point now, time_point journal_before) {
  {
    const std::lock_guard hold{mutex_};
    if (failure_)
      return;
    wanted_ = expiry{now, journal_before};
  }
  work_.notify_one();
}

void writer::nudge() {
  {
    const std::lock_guard hold{mutex_};
    nudged_ = true;
  }
  work_.notify_one();
}

statistics writer::stats() const {
  statistics now;
  now.commits = commits_;
  now.operations = operations_;
  now.elided = elided_;
  now.waiting_bytes = waiting_bytes_;
  now.map_bytes_used = bytes_used_;
  now.map_bytes_max = files_.map_bytes_max();
  return now;
}

// -- the writer thread

void writer::run() {
  while (wait_for_work()) {
    do {
      if (auto written = write_next(); !written)
        return fail(written.error());
    } while (taken_done_ < taken_.size());
    taken_.clear();
    taken_done_ = 0;
  }
}

/// Takes what has gathered. False once there is nothing left to do.
bool writer::wait_for_work() {
  std::unique_lock hold{mutex_};
  work_.wait(hold, [this] { return !incoming_.empty() || wanted_ || running_ || nudged_ || stopping_; });
  taken_.swap(incoming_);
  nudged_ = false;
  if (wanted_) {
    running_ = std::exchange(wanted_, std::nullopt);
    expiring_ = true;
  }
  return !taken_.empty() || !stopping_;
}

std::size_t writer::next_group_size() const {
  std::size_t size = 0;
  std::size_t bytes = 0;
  for (auto i = taken_done_; i < taken_.size(); ++i, ++size) {
    bytes += taken_[i].what.footprint();
    if (size > 0 && bytes > how_.group_bytes_max)
      break;
  }
  return size;
}

expected<void> writer::write_next() {
  const auto batches = std::span{taken_}.subspan(taken_done_, next_group_size());
  if (auto written = write(batches); !written)
    return written;
  taken_done_ += batches.size();
  confirm(batches);
  return {};
}

/// One transaction, unless there is nothing to change: then everything before is on disk already.
expected<void> writer::write(group batches) {
  bool idle = !running_ && !numbers_.are_low();
  for (const auto& one : batches)
    idle = idle && one.what.empty();
  if (idle)
    return {};
  write_txn txn{files_};
  apply(txn, batches);
  const bool expiry_done = running_ && !expire_some(txn, running_->now, running_->journal_before, expiries_per_group);
  numbers_.raise(txn, seals_);
  const auto used = txn.bytes_used();
  if (auto synced = txn.commit(); !synced)
    return synced;
  bytes_used_ = used;
  ++commits_;
  if (expiry_done)
    finish_expiry();
  return {};
}

void writer::apply(write_txn& txn, group batches) {
  std::vector<const batch*> parts;
  parts.reserve(batches.size());
  for (const auto& one : batches)
    parts.push_back(&one.what);
  const auto plan = elide(parts);
  applier apply_one{txn, seals_};
  std::size_t index = 0;
  for (const auto* part : parts)
    for (const auto& what : part->operations())
      if (!plan.skipped[index++] && txn.ok())
        std::visit(apply_one, what);
  operations_ += index;
  elided_ += plan.puts;
}

void writer::confirm(group batches) {
  for (auto& one : batches) {
    waiting_bytes_ -= one.what.footprint();
    one.what = {}; // frees the messages before the submitter gets its credit back
    if (const auto done = std::exchange(one.done, {}))
      done();
  }
  if (batches.empty())
    return;
  const std::lock_guard hold{mutex_};
  confirmed_ += batches.size();
  settled_.notify_all();
}

void writer::finish_expiry() {
  running_.reset();
  const std::lock_guard hold{mutex_};
  expiring_ = false;
  settled_.notify_all();
}

void writer::fail(const error& why) {
  std::vector<waiting> dropped;
  {
    const std::lock_guard hold{mutex_};
    failure_ = why;
    dropped.swap(incoming_);
    wanted_.reset();
    waiting_bytes_ = 0;
    settled_.notify_all();
  }
  taken_.clear();
  if (how_.on_failure)
    how_.on_failure(why);
}

} // namespace switchboard::store
