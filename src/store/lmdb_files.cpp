#include "store/lmdb_files.hpp"

#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "store/page_check.hpp"
#include "store/record.hpp"

namespace switchboard::store {

namespace {

constexpr unsigned readers_max = 512; ///< read transactions at the same time; a read takes microseconds
constexpr std::size_t touched_bytes_max = 32u << 20;

/// What LMDB may take beyond what the store may hold: a page that is freed can be used again only two transactions
/// later, and not for a long value unless its neighbours are free too. So also who only deletes finds pages.
constexpr std::uint64_t map_slack(std::uint64_t map_bytes_max) { return map_bytes_max / 8 + (64u << 20); }

MDB_val to_val(std::string_view bytes) noexcept { return {bytes.size(), const_cast<char*>(bytes.data())}; }

std::string_view to_view(const MDB_val& val) noexcept { return {static_cast<const char*>(val.mv_data), val.mv_size}; }

errc kind_of(int code) noexcept {
  switch (code) {
  case MDB_CORRUPTED:
  case MDB_PAGE_NOTFOUND:
  case MDB_INVALID:
  case MDB_PANIC:
    return errc::corrupt;
  case MDB_VERSION_MISMATCH:
    return errc::precondition_failed;
  default:
    return errc::io_failed;
  }
}

/// The last write before a disk is full is a short one, and LMDB calls every short write EIO.
bool is_disk_full(const std::string& directory) noexcept {
  constexpr std::uint64_t next_to_nothing = 1u << 20;
  struct statvfs is {};
  return ::statvfs(directory.c_str(), &is) == 0 && std::uint64_t{is.f_bavail} * is.f_frsize < next_to_nothing;
}

} // namespace

error to_error(int code, const lmdb_files& where) {
  if (code == EIO && is_disk_full(where.directory()))
    code = ENOSPC;
  if (code == MDB_MAP_FULL)
    return {errc::io_failed,
            "store full: map_bytes_max " + std::to_string(where.map_bytes_max()) + " reached in " + where.directory()};
  return {kind_of(code), where.directory() + "/data.mdb: " + mdb_strerror(code)};
}

// -- write_txn

write_txn::write_txn(lmdb_files& files) : files_(files) { failed(mdb_txn_begin(files.env_, nullptr, 0, &txn_)); }

write_txn::~write_txn() {
  if (txn_)
    mdb_txn_abort(txn_);
}

bool write_txn::failed(int code) noexcept {
  if (code != 0 && code_ == 0)
    code_ = code;
  return code != 0;
}

MDB_cursor* write_txn::cursor(table of) {
  auto& kept = cursors_[static_cast<std::size_t>(of)];
  if (code_ == 0 && !kept)
    failed(mdb_cursor_open(txn_, files_.dbi(of), &kept));
  return code_ == 0 ? kept : nullptr;
}

void write_txn::put(table into, std::string_view key, std::string_view value) {
  auto* at = cursor(into);
  auto k = to_val(key);
  auto v = to_val(value);
  if (at)
    failed(mdb_cursor_put(at, &k, &v, 0));
}

char* write_txn::reserve(table into, std::string_view key, std::size_t value_bytes) {
  auto* at = cursor(into);
  auto k = to_val(key);
  MDB_val v{value_bytes, nullptr};
  if (!at || failed(mdb_cursor_put(at, &k, &v, MDB_RESERVE)))
    return nullptr;
  return static_cast<char*>(v.mv_data);
}

void write_txn::erase(table from, std::string_view key) {
  if (get(from, key))
    failed(mdb_cursor_del(cursor(from), 0));
}

std::optional<std::string_view> write_txn::get(table from, std::string_view key) {
  auto* at = cursor(from);
  auto k = to_val(key);
  MDB_val v{};
  if (!at)
    return std::nullopt;
  const int code = mdb_cursor_get(at, &k, &v, MDB_SET);
  if (code == MDB_NOTFOUND || failed(code))
    return std::nullopt;
  return to_view(v);
}

std::optional<write_txn::entry> write_txn::first(table in, std::string_view from) {
  auto* at = cursor(in);
  auto k = to_val(from);
  MDB_val v{};
  if (!at)
    return std::nullopt;
  const int code = mdb_cursor_get(at, &k, &v, MDB_SET_RANGE);
  if (code == MDB_NOTFOUND || failed(code))
    return std::nullopt;
  return entry{to_view(k), to_view(v)};
}

std::uint64_t write_txn::bytes_used() {
  std::uint64_t pages = 2 + 1; // two meta pages and the directory of tables
  MDB_stat one{};
  for (const auto dbi : files_.tables_)
    if (code_ == 0 && !failed(mdb_stat(txn_, dbi, &one)))
      pages += one.ms_branch_pages + one.ms_leaf_pages + one.ms_overflow_pages;
  return pages * one.ms_psize;
}

expected<void> write_txn::commit() {
  if (code_ == 0) {
    sealer seals;
    put(table::meta, transaction_mark, seals.seal(transaction_mark, std::uint64_t{mdb_txn_id(txn_)}));
  }
  if (code_ == 0) {
    failed(mdb_txn_commit(txn_));
    txn_ = nullptr;
  }
  if (code_ != 0)
    return to_error(code_, files_);
  return {};
}

// -- read_txn

read_txn::read_txn(lmdb_files& files) : files_(files), txn_(files.take_reader()) {
  code_ = txn_ ? mdb_txn_renew(txn_) : mdb_txn_begin(files.env_, nullptr, MDB_RDONLY, &txn_);
  if (code_ != 0 && txn_) {
    mdb_txn_abort(txn_);
    txn_ = nullptr;
  }
}

read_txn::~read_txn() {
  if (!txn_)
    return;
  mdb_txn_reset(txn_);
  files_.give_reader(txn_);
}

std::optional<std::string_view> read_txn::get(table from, std::string_view key) {
  if (code_ != 0)
    return std::nullopt;
  auto k = to_val(key);
  MDB_val v{};
  const int code = mdb_get(txn_, files_.dbi(from), &k, &v);
  if (code == 0)
    return to_view(v);
  if (code != MDB_NOTFOUND)
    code_ = code;
  return std::nullopt;
}

// -- read_cursor

read_cursor::read_cursor(read_txn& txn, table of) : txn_(txn) {
  if (txn_.code_ == 0)
    txn_.code_ = mdb_cursor_open(txn_.txn_, txn_.files_.dbi(of), &cursor_);
}

read_cursor::~read_cursor() {
  if (cursor_)
    mdb_cursor_close(cursor_);
  if (bytes_ > 0)
    txn_.files_.touched(lowest_, highest_, bytes_);
}

bool read_cursor::move(std::string_view from, MDB_cursor_op how) {
  if (txn_.code_ != 0)
    return false;
  auto k = to_val(from);
  MDB_val v{};
  const int code = mdb_cursor_get(cursor_, &k, &v, how);
  if (code == 0) {
    key_ = to_view(k);
    value_ = to_view(v);
    const auto place = reinterpret_cast<std::uintptr_t>(v.mv_data);
    lowest_ = std::min(lowest_, place);
    highest_ = std::max(highest_, place + v.mv_size);
    bytes_ += v.mv_size;
    return true;
  }
  if (code != MDB_NOTFOUND)
    txn_.code_ = code;
  return false;
}

// -- lmdb_files

expected<std::unique_ptr<lmdb_files>> lmdb_files::open(const std::string& directory, std::uint64_t map_bytes_max,
                                                       bool sync) {
  std::unique_ptr<lmdb_files> files{new lmdb_files{directory}};
  if (const int code = files->start(map_bytes_max, sync))
    return to_error(code, *files);
  return files;
}

std::uint64_t lmdb_files::bytes_in_file() const noexcept {
  MDB_envinfo info{};
  MDB_stat one{};
  if (mdb_env_info(env_, &info) != 0 || mdb_env_stat(env_, &one) != 0)
    return 0;
  return (info.me_last_pgno + 1) * one.ms_psize;
}

int lmdb_files::start(std::uint64_t map_bytes_max, bool sync) {
  constexpr std::uint64_t page = 4096;
  map_bytes_max_ = (map_bytes_max + page - 1) / page * page;
  if (const int code = mdb_env_create(&env_))
    return code;
  if (const int code = mdb_env_set_mapsize(env_, map_bytes_max_ + map_slack(map_bytes_max_)))
    return code;
  if (const int code = mdb_env_set_maxdbs(env_, table_count))
    return code;
  if (const int code = mdb_env_set_maxreaders(env_, readers_max))
    return code;
  // NOTLS: a read transaction belongs to whoever holds it, not to a thread, so the pool may hand it round.
  if (const int code = mdb_env_open(env_, directory_.c_str(), MDB_NOTLS | (sync ? 0u : MDB_NOSYNC), 0600))
    return code;
  return open_tables();
}

int lmdb_files::open_tables() {
  MDB_txn* txn = nullptr;
  if (const int code = mdb_txn_begin(env_, nullptr, 0, &txn))
    return code;
  bool made = false;
  for (std::size_t i = 0; i < table_count; ++i) {
    int code = mdb_dbi_open(txn, table_names[i], 0, &tables_[i]);
    if (code == MDB_NOTFOUND) {
      made = true;
      code = mdb_dbi_open(txn, table_names[i], MDB_CREATE, &tables_[i]);
    }
    if (code != 0) {
      mdb_txn_abort(txn);
      return code;
    }
  }
  if (made) {
    sealer seals;
    auto key = to_val(transaction_mark);
    auto value = to_val(seals.seal(transaction_mark, std::uint64_t{mdb_txn_id(txn)}));
    if (const int code = mdb_put(txn, dbi(table::meta), &key, &value, 0)) {
      mdb_txn_abort(txn);
      return code;
    }
  }
  return mdb_txn_commit(txn);
}

lmdb_files::~lmdb_files() {
  for (auto* reader : readers_)
    mdb_txn_abort(reader);
  if (env_)
    mdb_env_close(env_);
}

void lmdb_files::touched(std::uintptr_t lowest, std::uintptr_t highest, std::size_t bytes) {
  {
    const std::lock_guard hold{mutex_};
    lowest = lowest_ = std::min(lowest_, lowest);
    highest = highest_ = std::max(highest_, highest);
    touched_ += bytes;
    if (touched_ < touched_bytes_max)
      return;
    touched_ = 0;
  }
  // All of it is LMDB's map, read only and of a file: who reads there now finds it again.
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = lowest / page * page;
  ::madvise(reinterpret_cast<void*>(begin), highest - begin, MADV_DONTNEED);
}

MDB_txn* lmdb_files::take_reader() {
  const std::lock_guard hold{mutex_};
  if (readers_.empty())
    return nullptr;
  auto* last = readers_.back();
  readers_.pop_back();
  return last;
}

void lmdb_files::give_reader(MDB_txn* finished) {
  const std::lock_guard hold{mutex_};
  readers_.push_back(finished);
}

} // namespace switchboard::store
