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

/// Pages of LMDB that a transaction copies before it frees the old ones.
constexpr std::uint64_t map_reserve = 512u << 10;

/// While the map has no room, how often what waits is tried again: with what was deleted and taken meanwhile.
constexpr auto full_recheck = 50ms;

/// From here on deletions go by themselves: the map may soon have no room for what stands in one group with them.
constexpr std::uint64_t nearly_full(std::uint64_t map_bytes_max) { return map_bytes_max / 4 * 3; }

/// A batch of these alone, as consumers' acks and purges are, can't belong together with something that waits.
bool only_deletes(const operations& all) {
  return std::all_of(all.begin(), all.end(), [](const batch::operation& what) {
    return std::holds_alternative<batch::message_delete>(what) || std::holds_alternative<batch::queue_delete>(what);
  });
}

} // namespace

writer::writer(lmdb_files& files, counters& numbers, write_ahead_log log, settings how)
    : files_(files), numbers_(numbers), how_(std::move(how)), log_(std::move(log)), sequence_(numbers.applied()),
      bytes_used_(write_txn{files}.bytes_used()), log_bytes_to_come_(log_.bytes_to_come()), thread_([this] { run(); }) {
}

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
  const auto is_done = [&] { return confirmed_ >= last && !wanted_ && !expiring_; };
  settled_.wait(hold, [&] { return failure_ || is_full_ || is_done(); });
  if (failure_)
    return *failure_;
  if (!is_done())
    return full();
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
    auto done = write_down_lump();
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
  now.lump_bytes = lump_bytes_;
  now.map_bytes_used = bytes_used_;
  now.map_bytes_file = files_.bytes_in_file();
  now.map_bytes_max = files_.map_bytes_max();
  now.log_bytes_to_come = log_bytes_to_come_;
  now.is_full = is_full_;
  return now;
}

// -- the writer thread

void writer::run() {
  while (wait_for_work()) {
    do {
      if (auto written = write_next(); !written)
        return fail(written.error());
    } while (!is_stuck() && taken_done_ < taken_.size());
    taken_.erase(taken_.begin(), taken_.begin() + static_cast<std::ptrdiff_t>(taken_done_));
    taken_done_ = 0;
    if (const auto done = end_if_written(); !done)
      return fail(done.error());
    if (!under_way_ && is_checkpoint_due())
      begin_checkpoint();
  }
  if (const auto done = write_down_lump(); !done)
    fail(done.error());
}

/// Takes what has gathered, behind what the map had no room for. False once there is nothing left to do.
bool writer::wait_for_work() {
  std::unique_lock hold{mutex_};
  const auto is_called = [this] {
    const bool is_expiry_due = !under_way_ && (wanted_ || running_);
    return is_urgent_ || is_expiry_due || nudged_ || stopping_ || written_ || asked_ != serving_;
  };
  if (is_stuck())
    work_.wait_for(hold, full_recheck, [this] { return stopping_ || written_ || asked_ != serving_; });
  while (!is_stuck() && !is_called()) {
    is_asleep_ = incoming_.empty() && (lump_.empty() || under_way_);
    if (is_asleep_)
      work_.wait(hold);
    else if (!work_.wait_for(hold, company_wait, is_called))
      break;
  }
  is_asleep_ = false;
  const bool is_more = !incoming_.empty();
  if (taken_.empty())
    taken_.swap(incoming_);
  else
    std::move(incoming_.begin(), incoming_.end(), std::back_inserter(taken_));
  incoming_.clear();
  incoming_bytes_ = 0;
  is_urgent_ = nudged_ = false;
  serving_ = asked_;
  if (wanted_ && !(under_way_ && under_way_->expires)) {
    running_ = std::exchange(wanted_, std::nullopt);
    expiring_ = true;
  }
  return is_more || !stopping_;
}

/// What is stuck goes with all that came behind it: perhaps that has taken it again.
std::size_t writer::next_group_size() const {
  if (is_stuck())
    return taken_.size() - taken_done_;
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
  const auto written = write(batches);
  if (!written)
    return written.error();
  say_full(*written == outcome::no_room);
  if (is_full_)
    return {};
  taken_done_ += batches.size();
  confirm(batches);
  if (broken_)
    return *broken_;
  return {};
}

/// Nothing to change: then everything before is on disk already.
expected<writer::outcome> writer::write(group batches) {
  auto changes = gather(batches);
  if (!changes.deletions.empty())
    if (const auto written = put_down(changes.deletions, reserve::used); !written)
      return written;
  if (changes.others.empty())
    return outcome::done;
  auto written = put_down(changes.others, reserve::kept);
  if (written && *written == outcome::no_room)
    stuck_ = std::move(changes.others);
  return written;
}

/// What is left to be written of what is stuck and of the batches, which keep only their footprint.
writer::gathered writer::gather(group batches) {
  auto before = std::exchange(stuck_, {});
  const bool splits = bytes_used_ + lump_.bytes() > nearly_full(files_.map_bytes_max());
  std::vector<std::span<const batch::operation>> parts;
  parts.reserve(batches.size() + 1);
  parts.emplace_back(before);
  for (const auto& one : batches)
    parts.emplace_back(one.what.operations());
  const auto plan = elide(parts);
  operations_ += plan.skipped.size() - before.size();
  elided_ += plan.puts;
  gathered left;
  std::size_t index = 0;
  for (auto& what : before)
    if (!plan.skipped[index++])
      left.others.push_back(std::move(what));
  for (auto& one : batches) {
    auto& into = splits && only_deletes(one.what.operations()) ? left.deletions : left.others;
    for (auto& what : one.what.take_operations())
      if (!plan.skipped[index++])
        into.push_back(std::move(what));
  }
  return left;
}

/// Takes the changes if it writes them. Deletions find pages in LMDB's slack, or it is over.
expected<writer::outcome> writer::put_down(operations& changes, reserve how) {
  if (is_for_log(changes)) {
    if (const auto made = make_room(); !made)
      return made.error();
    if (const auto written = log(std::move(changes)); !written)
      return written.error();
    ++commits_;
    return outcome::done;
  }
  auto written = checkpoint(changes, how);
  if (!written)
    return written;
  if (*written == outcome::done)
    ++commits_;
  else if (how == reserve::used)
    return full();
  return written;
}

error writer::full() const { return to_error(MDB_MAP_FULL, files_); }

void writer::say_full(bool is_full) {
  if (is_full == is_full_)
    return;
  const std::lock_guard hold{mutex_};
  is_full_ = is_full;
  settled_.notify_all();
}

/// Makes the record if so. Near a full map nothing is confirmed that LMDB might not be able to take.
bool writer::is_for_log(const operations& changes) {
  if (!encode_group(record_, numbers_.log_seed(),
                    {sequence_ + 1, numbers_.positions.next(), numbers_.queue_numbers.next()}, changes,
                    record_bytes_max(how_.log_bytes_max)))
    return false;
  return bytes_used_ + 2 * (lump_.bytes() + record_.size()) + map_reserve < files_.map_bytes_max();
}

/// Two lumps fit into the log: one on its way to LMDB, one that gathers.
std::size_t writer::lump_bytes_due() const { return static_cast<std::size_t>(how_.log_bytes_max / 2); }

/// In the log, for the record, and in memory. Waits for the checkpoint under way if that has to be over first.
expected<void> writer::make_room() {
  if (lump_.gathering_bytes() > how_.log_bytes_max) // small deletions are longer in memory than in the log
    if (auto ended = end_checkpoint(); !ended)
      return ended;
  while (log_.room() < record_.size()) {
    if (auto ended = end_checkpoint(); !ended)
      return ended;
    if (log_.room() < record_.size())
      begin_checkpoint();
  }
  return {};
}

expected<void> writer::log(operations changes) {
  if (auto written = log_.append(record_); !written)
    return written;
  ++sequence_;
  if (lump_.empty())
    lump_age_ = clock::now();
  const auto bytes = record_.size() + changes.size() * sizeof(batch::operation);
  lump_.add(std::move(changes), bytes);
  lump_bytes_ = lump_.bytes();
  log_bytes_to_come_ = log_.bytes_to_come();
  return {};
}

// -- to LMDB

/// One transaction: the operations, some expiry, the marks.
expected<writer::checkpoint_result> writer::transact(const checkpoint_plan& plan, reserve how) {
  checkpoint_result made;
  sealer seals;
  write_txn txn{files_};
  made.elided = apply(txn, seals, plan.parts);
  if (const auto& asked = plan.expires)
    made.expiry_done = !expire_some(txn, asked->now, asked->journal_before, expiries_per_group);
  made.bytes_used = txn.bytes_used();
  if (txn.ran_out() || (how == reserve::kept && made.bytes_used > files_.map_bytes_max()))
    return made;
  numbers_.raise(txn, seals);
  numbers_.set_applied(txn, seals, plan.sequence, plan.log_begin);
  pass(fail_point::checkpoint_before_commit);
  if (const auto synced = txn.commit(); !synced)
    return synced.error();
  pass(fail_point::checkpoint_after_commit);
  made.what = outcome::done;
  return made;
}

void writer::account(const checkpoint_plan& plan, const checkpoint_result& done) {
  bytes_used_ = done.bytes_used;
  elided_ += done.elided;
  lump_bytes_ = lump_.bytes();
  ++checkpoints_;
  if (done.expiry_done)
    finish_expiry();
  serve(plan.serves);
}

bool writer::is_checkpoint_due() const {
  return running_ || numbers_.are_low() || serving_ != served_ || // only this thread changes these
         (!lump_.empty() && (lump_.gathering_bytes() > lump_bytes_due() || clock::now() >= lump_age_ + lump_age_max));
}

/// Freezes the lump and gives it to the helper. Precondition: none is under way.
void writer::begin_checkpoint() {
  if (lump_.empty() && !running_ && !numbers_.are_low())
    return serve(serving_);
  lump_.freeze();
  under_way_ = checkpoint_plan{
      {lump_.frozen_groups().begin(), lump_.frozen_groups().end()}, running_, sequence_, log_.freeze(), serving_};
  helper_.start([this] {
    auto written = transact(*under_way_, reserve::used);
    if (written && written->what == outcome::done)
      lump_.clear_frozen();
    const std::lock_guard hold{mutex_};
    written_ = std::move(written);
    work_.notify_one();
  });
}

/// Waits for the one under way, if there is one. Only what comes after may find no room: the log takes nothing that
/// LMDB can't.
expected<void> writer::end_checkpoint() {
  if (!under_way_)
    return {};
  helper_.wait();
  std::unique_lock hold{mutex_};
  const auto written = std::exchange(written_, std::nullopt);
  hold.unlock();
  const auto plan = std::exchange(under_way_, std::nullopt);
  if (!*written)
    return written->error();
  if ((*written)->what == outcome::no_room)
    return full();
  log_.forget_frozen();
  lump_.forget_frozen_bytes();
  account(*plan, **written);
  return {};
}

expected<void> writer::end_if_written() {
  {
    const std::lock_guard hold{mutex_};
    if (!written_)
      return {};
  }
  return end_checkpoint();
}

/// All of it, and waits.
expected<void> writer::write_down_lump() {
  const auto written = checkpoint({}, reserve::used);
  if (!written)
    return written.error();
  if (*written == outcome::no_room)
    return full();
  return {};
}

/// On this thread: the lump and what comes after it in one transaction; then the log begins anew. Only what comes after
/// may find no room.
expected<writer::outcome> writer::checkpoint(const operations& more, reserve how) {
  if (const auto ended = end_checkpoint(); !ended)
    return ended.error();
  if (lump_.empty() && more.empty() && !running_ && !numbers_.are_low()) {
    serve(serving_);
    return outcome::done;
  }
  checkpoint_plan plan{{lump_.groups().begin(), lump_.groups().end()}, running_, sequence_, 0, serving_};
  plan.parts.emplace_back(more);
  const auto written = transact(plan, how);
  if (!written)
    return written.error();
  if (written->what == outcome::done) {
    lump_.clear_gathering();
    log_.rewind();
    account(plan, *written);
  }
  return written->what;
}

/// Those readers who asked by then go on.
void writer::serve(std::uint64_t asked) {
  if (asked == served_)
    return;
  const std::lock_guard hold{mutex_};
  served_ = asked;
  settled_.notify_all();
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
