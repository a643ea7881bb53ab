#include "store/salvage.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include "messages/wire.hpp"
#include "store/key.hpp"
#include "store/lmdb_files.hpp"
#include "store/page_check.hpp"
#include "store/write_ahead_log.hpp"

namespace switchboard::store {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t told_max = 20;            ///< damages told one by one
constexpr std::size_t records_at_once = 50'000; ///< of one transaction

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (std::size_t i = 0; i < texts.size() && i < told_max; ++i)
    all += (i ? "; " : "") + texts[i];
  return texts.size() > told_max ? all + "; and " + std::to_string(texts.size() - told_max) + " more" : all;
}

/// A table that is being written anew, a transaction for some records at a time.
class rewriter {
public:
  explicit rewriter(lmdb_files& files) : files_(files) {}

  /// A record that fails its check comes along: whoever visits its table is told that there is one.
  void put(const found_record& one) {
    if (!done_ || one.key.empty() || one.key.size() > key::bytes_max ||
        (one.of == table::meta && one.key == transaction_mark))
      return;
    if (!txn_)
      txn_.emplace(files_);
    txn_->put(one.of, one.key, one.value);
    if (++count_ % records_at_once == 0)
      commit();
  }
  expected<void> finish() {
    commit();
    return done_;
  }

private:
  void commit() {
    if (txn_ && done_)
      done_ = txn_->commit();
    txn_.reset();
  }

  lmdb_files& files_;
  std::optional<write_txn> txn_;
  std::size_t count_ = 0;
  expected<void> done_;
};

/// Queues that may have had messages in the gap.
std::vector<queue_number> queues_of(const lost_messages& gap) {
  constexpr queue_number many = 1000; // then only the first and the last of them
  const auto queue = [](std::string_view key) {
    wire::reader in{key};
    return in.number<std::uint64_t>();
  };
  const auto first = gap.from.empty() ? 1 : queue(gap.from);
  const auto last = gap.to ? queue(*gap.to) : first;
  if (last < first || last - first >= many)
    return {first, last};
  std::vector<queue_number> found;
  for (auto each = first; each <= last; ++each)
    found.push_back(each);
  return found;
}

error failed(const std::string& path, const std::error_code& why) {
  return {errc::io_failed, path + ": " + why.message()};
}

/// The new file takes the old one's name at once; the old one keeps a second name. Where it is kept.
expected<std::string> write_anew(const std::string& directory, const options& how, const page_report& report) {
  const auto data = directory + "/data.mdb", aside = directory + "/salvage";
  std::error_code trouble;
  fs::remove_all(aside, trouble); // of a salvage that did not end
  fs::create_directory(aside, trouble);
  if (trouble)
    return failed(aside, trouble);
  {
    auto files = lmdb_files::open(aside, how.map_bytes_max, how.sync);
    if (!files)
      return files.error();
    rewriter anew{**files};
    if (auto read = check_pages(data, [&](const found_record& one) { anew.put(one); }); !read)
      return read.error();
    for (const auto& gap : report.gaps)
      for (const auto queue : queues_of(gap)) // no message has position 0, and no check fits nothing
        anew.put({table::messages, message_key(queue, 0), "", false});
    if (auto written = anew.finish(); !written)
      return written.error();
  }
  auto kept = data + ".damaged-0";
  for (int n = 1; fs::exists(kept); ++n)
    kept = data + ".damaged-" + std::to_string(n);
  fs::create_hard_link(data, kept, trouble);
  if (!trouble)
    fs::rename(aside + "/data.mdb", data, trouble);
  if (trouble)
    return failed(kept, trouble);
  fs::remove_all(aside, trouble);
  fs::remove(directory + "/lock.mdb", trouble); // which speaks of the old one's transactions
  if (!sync_directory(directory))
    return error{errc::io_failed, directory + ": " + std::strerror(errno)};
  return kept;
}

} // namespace

expected<void> make_readable(const std::string& directory, const options& how) {
  const auto data = directory + "/data.mdb", log = directory + "/write_ahead.log";
  const auto report = check_pages(data);
  if (!report)
    return report.error();
  std::error_code ignored;
  if (const auto size = fs::file_size(log, ignored); report->is_new && !ignored && size > 0)
    return error{errc::corrupt, data + ": is empty or missing, but there is a write_ahead.log, which is no use without "
                                       "it. Without both a new store begins"};
  const auto tell = [&](const std::string& what) {
    if (how.on_tables_damaged)
      how.on_tables_damaged({errc::corrupt, data + ": " + what});
  };
  if (!report->broken.empty()) {
    const auto kept = write_anew(directory, how, *report);
    if (!kept)
      return error{kept.error().code,
                   "damaged, and can't be written anew: " + joined(report->broken) + ": " + kept.error().what};
    tell("damaged: " + joined(report->broken) + ". Written anew with " + std::to_string(report->records) +
         " intact records; the damaged file is " + *kept);
  }
  for (std::size_t i = 0; i < report->lost.size() && i < told_max; ++i)
    tell(report->lost[i]);
  if (report->lost.size() > told_max)
    tell("and " + std::to_string(report->lost.size() - told_max) + " more");
  return {};
}

} // namespace switchboard::store
