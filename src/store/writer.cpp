#include "store/writer.hpp"

#include <algorithm>
#include <utility>

#include "base/fail_point.hpp"
#include "store/applier.hpp"
#include "store/elision.hpp"
#include "store/log_record.hpp"

namespace switchboard::store {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t expiries_per_group = 500; ///< few, so that no group waits long for them

/// How long batches that nobody waits for wait for one that somebody does: they cost no sync of their own then. While
/// there is traffic the writer looks that often, so that such a batch doesn't even have to wake it.
constexpr auto company_wait = 5ms;

/// How long a lump gathers: what is put and taken within it never reaches LMDB.
constexpr auto lump_age_max = 500ms;

/// A group with a record longer than this part of the log goes straight to LMDB: there is little left to win by the
/// sync that it saves, and the log is full soon.
constexpr std::uint64_t record_share = 4;

/// Pages of LMDB that a transaction copies before it frees the old ones.
constexpr std::uint64_t map_reserve = 512u << 10;

} // namespace

writer::writer(lmdb_files& files, counters& numbers, write_ahead_log log, settings how)
    : files_(files), numbers_(numbers), how_(std::move(how)), log_(std::move(log)), sequence_(numbers.applied()),
      bytes_used_(write_txn{files}.bytes_used()), thread_([this] { run(); }) {}

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
  bool wake = done != nullptr;
  {
    const std::lock_guard hold{mutex_};
    if (failure_)
      return;
    waiting_bytes_ += bytes;
    incoming_bytes_ += bytes;
    ++submitted_;
    wake = wake || incoming_bytes_ > how_.group_bytes_max;
    is_urgent_ = is_urgent_ || wake;
    wake = wake || std::exchange(is_asleep_, false);
    incoming_.push_back({std::move(what), std::move(done)});
  }
  if (wake)
    work_.notify_one();
}

expected<void> writer::flush() {
  if (std::this_thread::get_id() == thread_.get_id())
    return {errc::wrong_state, "flush() on the writer thread would wait for itself"};
  std::unique_lock hold{mutex_};
  is_urgent_ = is_urgent_ || !incoming_.empty();
  work_.notify_one();
  const auto last = submitted_;
  settled_.wait(hold, [&] { return failure_ || (confirmed_ >= last && !wanted_ && !expiring_); });
  if (failure_)
    return *failure_;
  return {};
}

expected<void> writer::settle(table visited) {
  if (!lump_.touches(visited))
    return {};
  std::unique_lock hold{mutex_};
  if (!failure_ && std::this_thread::get_id() == thread_.get_id()) {
    hold.unlock();
    if (broken_)
      return *broken_;
    auto done = checkpoint();
    if (!done)
      broken_ = done.error();
    return done;
  }
  const auto mine = ++asked_;
  work_.notify_one();
  settled_.wait(hold, [&] { return failure_ || served_ >= mine; });
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
  now.checkpoints = checkpoints_;
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
    if (is_checkpoint_due())
      if (auto done = checkpoint(); !done)
        return fail(done.error());
  }
  if (auto done = checkpoint(); !done)
    fail(done.error());
}

/// Takes what has gathered. False once there is nothing left to do.
bool writer::wait_for_work() {
  std::unique_lock hold{mutex_};
  const auto is_called = [this] {
    return is_urgent_ || wanted_ || running_ || nudged_ || stopping_ || asked_ != serving_;
  };
  while (!is_called()) {
    is_asleep_ = incoming_.empty() && lump_.empty();
    if (is_asleep_)
      work_.wait(hold);
    else if (!work_.wait_for(hold, company_wait, is_called))
      break;
  }
  is_asleep_ = false;
  taken_.swap(incoming_);
  incoming_bytes_ = 0;
  is_urgent_ = nudged_ = false;
  serving_ = asked_;
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
  if (broken_)
    return *broken_;
  return {};
}

/// Nothing to change: then everything before is on disk already.
expected<void> writer::write(group batches) {
  auto changes = gather(batches);
  if (changes.empty())
    return {};
  ++commits_;
  return is_for_log(changes) ? log(std::move(changes)) : checkpoint(changes);
}

/// What is left to be written of the batches, which keep only their footprint.
operations writer::gather(group batches) {
  std::vector<std::span<const batch::operation>> parts;
  parts.reserve(batches.size());
  for (const auto& one : batches)
    parts.emplace_back(one.what.operations());
  const auto plan = elide(parts);
  operations_ += plan.skipped.size();
  elided_ += plan.puts;
  operations left;
  std::size_t index = 0;
  for (auto& one : batches)
    for (auto& what : one.what.take_operations())
      if (!plan.skipped[index++])
        left.push_back(std::move(what));
  return left;
}

/// Makes the record if so. Near a full map nothing is confirmed that LMDB might not be able to take.
bool writer::is_for_log(const operations& changes) {
  const auto most = static_cast<std::size_t>(std::min(log_.room(), how_.log_bytes_max / record_share));
  if (!encode_group(record_, numbers_.log_seed(),
                    {sequence_ + 1, numbers_.positions.next(), numbers_.queue_numbers.next()}, changes, most))
    return false;
  return bytes_used_ + 2 * (lump_.bytes() + record_.size()) + map_reserve < files_.map_bytes_max();
}

expected<void> writer::log(operations changes) {
  if (auto written = log_.append(record_); !written)
    return written;
  ++sequence_;
  if (lump_.empty())
    lump_age_ = clock::now();
  const auto bytes = record_.size() + changes.size() * sizeof(batch::operation);
  lump_.add(std::move(changes), bytes);
  return {};
}

bool writer::is_checkpoint_due() const {
  if (running_ || numbers_.are_low())
    return true;
  const bool is_asked = serving_ != served_; // only this thread changes either
  return is_asked ||
         (!lump_.empty() && (lump_.bytes() > how_.log_bytes_max || clock::now() >= lump_age_ + lump_age_max));
}

/// One transaction with the lump, what comes after it, some expiry and the marks; then the log begins anew.
expected<void> writer::checkpoint(const operations& more) {
  if (!lump_.empty() || !more.empty() || running_ || numbers_.are_low()) {
    std::vector<std::span<const batch::operation>> parts{lump_.groups().begin(), lump_.groups().end()};
    parts.emplace_back(more);
    write_txn txn{files_};
    elided_ += apply(txn, seals_, parts);
    const bool expiry_done = running_ && !expire_some(txn, running_->now, running_->journal_before, expiries_per_group);
    numbers_.raise(txn, seals_);
    numbers_.set_applied(txn, seals_, sequence_);
    const auto used = txn.bytes_used();
    pass(fail_point::checkpoint_before_commit);
    if (auto synced = txn.commit(); !synced)
      return synced;
    pass(fail_point::checkpoint_after_commit);
    bytes_used_ = used;
    ++checkpoints_;
    lump_.clear();
    log_.rewind();
    if (expiry_done)
      finish_expiry();
  }
  if (serving_ != served_) {
    const std::lock_guard hold{mutex_};
    served_ = serving_;
    settled_.notify_all();
  }
  return {};
}

void writer::confirm(group batches) {
  for (auto& one : batches) {
    waiting_bytes_ -= one.what.footprint();
    one.what = {};
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
