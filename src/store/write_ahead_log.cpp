#include "store/write_ahead_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "base/fail_point.hpp"
#include "store/log_record.hpp"

namespace switchboard::store {

namespace {

/// The file grows by this much, in zeros, so that few syncs have a new size to write down. Not at once by all it may
/// have: a small store stays small, and opens fast.
constexpr std::uint64_t log_growth = 1u << 20;

error log_error(const std::string& path) { return {errc::io_failed, path + ": " + std::strerror(errno)}; }

} // namespace

bool sync_directory(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0)
    return false;
  const bool done = ::fsync(file) == 0;
  ::close(file);
  return done;
}

expected<write_ahead_log> write_ahead_log::open(const std::string& directory, std::uint64_t bytes_max, bool sync) {
  auto path = directory + "/write_ahead.log";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0)
    return log_error(path);
  struct stat is {};
  const bool known = ::fstat(file, &is) == 0;
  bytes_max = (bytes_max + log_page_bytes - 1) / log_page_bytes * log_page_bytes;
  write_ahead_log made{file, std::move(path), bytes_max, static_cast<std::uint64_t>(is.st_size), sync};
  if (!known)
    return log_error(made.path_);
  if (made.size_ == 0 && sync && !sync_directory(directory))
    return log_error(directory);
  return made;
}

write_ahead_log::write_ahead_log(int file, std::string path, std::uint64_t bytes_max, std::uint64_t size,
                                 bool sync) noexcept
    : file_(file), path_(std::move(path)), bytes_max_(bytes_max), size_(size), sync_(sync) {}

write_ahead_log::write_ahead_log(write_ahead_log&& other) noexcept
    : file_(std::exchange(other.file_, -1)), path_(std::move(other.path_)), bytes_max_(other.bytes_max_),
      size_(other.size_), frozen_(other.frozen_), begin_(other.begin_), at_(other.at_), sync_(other.sync_) {}

write_ahead_log::~write_ahead_log() {
  if (file_ >= 0)
    ::close(file_);
}

bool write_ahead_log::is_whole() const noexcept { return size_ % log_growth == 0 || size_ == bytes_max_; }

error write_ahead_log::failed() const { return log_error(path_); }

expected<std::string> write_ahead_log::read() const {
  std::string bytes(size_, '\0');
  for (std::size_t done = 0; done < bytes.size();) {
    const auto got = ::pread(file_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return failed();
    if (got == 0)
      return error{errc::io_failed, path_ + ": ends before its size"};
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

expected<std::string> write_ahead_log::keep(std::string_view part, std::uint64_t number) const {
  const auto beside = path_ + ".damaged-" + std::to_string(number);
  std::error_code trouble;
  const auto space = std::filesystem::space(std::filesystem::path{path_}.parent_path(), trouble);
  if (!trouble && space.available / 4 < part.size())
    return error{errc::io_failed, beside + ": " + std::strerror(ENOSPC)};
  std::ofstream file{beside, std::ios::binary | std::ios::trunc};
  file.write(part.data(), static_cast<std::streamsize>(part.size()));
  file.close();
  if (file)
    return beside;
  const auto why = log_error(beside);
  std::filesystem::remove(beside, trouble);
  return why;
}

/// Goes on behind what is frozen, or at the front if enough is free there or little is left here: so a store with
/// little traffic keeps a small file. If nothing was appended the place stays: LMDB has been told of it.
std::uint64_t write_ahead_log::freeze() noexcept {
  if (begin_ == at_)
    return at_;
  frozen_ = {begin_, at_};
  if (begin_ >= log_growth || bytes_max_ - at_ < bytes_max_ / 4)
    at_ = 0;
  begin_ = at_;
  return at_;
}

expected<void> write_ahead_log::append(std::string_view record) {
  const auto end = at_ + record.size();
  if (end > size_) {
    const auto size = std::min((end + log_growth - 1) / log_growth * log_growth, bytes_max_);
    if (auto grown = write(std::string(size - end, '\0'), end); !grown)
      return grown;
    size_ = size;
  }
  pass(fail_point::log_before_write);
  if (auto written = write(record, at_); !written)
    return written;
  pass(fail_point::log_after_write);
  if (sync_ && ::fdatasync(file_) != 0)
    return failed();
  pass(fail_point::log_after_sync);
  at_ = end;
  return {};
}

expected<void> write_ahead_log::write(std::string_view bytes, std::uint64_t at) {
  while (!bytes.empty()) {
    const auto done = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return failed();
    bytes.remove_prefix(static_cast<std::size_t>(done));
    at += static_cast<std::size_t>(done);
  }
  return {};
}

} // namespace switchboard::store
