// The write-ahead log: bytes as the operations of a record, and a log with a hole anywhere.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "store/log_record.hpp"

namespace {

using namespace switchboard::store;

constexpr std::uint64_t log_seed = 0x5eed;

void need(bool holds) {
  if (!holds)
    std::abort();
}

std::string encoded(std::uint64_t sequence, const operations& changes) {
  std::string out;
  need(encode_group(out, log_seed, {sequence, 1, 2}, changes, std::size_t{1} << 24));
  return out;
}

/// What can be read says the same when it is written and read again.
void check_operations(std::string_view bytes) {
  const auto found = decode_operations(bytes);
  if (!found)
    return;
  const auto record = encoded(7, *found);
  const auto again = decode_group(record, log_seed);
  need(again && again->stamp.sequence == 7 && again->bytes == record.size());
  need(encoded(7, again->changes) == record);
}

/// The first bytes say what is put over which place of a log of four groups. All that is read was written, nothing is
/// left out without a word but at the end.
void check_damaged_log(std::string_view bytes) {
  if (bytes.size() < 3)
    return;
  std::string log;
  std::string records[4];
  for (std::uint64_t i = 0; i < 4; ++i) {
    batch made;
    made.put_topology("key", std::string(i * 3000, 'x'));
    log += records[i] = encoded(i + 1, made.operations());
  }
  const auto at = (static_cast<unsigned char>(bytes[0]) << 8 | static_cast<unsigned char>(bytes[1])) % log.size();
  const auto hole = bytes.substr(2, log.size() - at);
  std::memcpy(log.data() + at, hole.data(), hole.size());
  const auto found = read_log(log, log_seed, 0);
  std::uint64_t next = 1;
  auto damage = found.damaged.begin();
  for (const auto& group : found.groups) {
    if (group.stamp.sequence != next) {
      need(damage != found.damaged.end() && damage->first == next && damage->last == group.stamp.sequence - 1);
      ++damage;
    }
    need(encoded(group.stamp.sequence, group.changes) == records[group.stamp.sequence - 1]);
    next = group.stamp.sequence + 1;
  }
  need(damage == found.damaged.end());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  check_operations(bytes);
  check_damaged_log(bytes);
  read_log(bytes, log_seed, 0);
  return 0;
}
