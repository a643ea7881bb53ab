#include "store/directory_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace switchboard::store {

namespace {

error refusal(errc code, const std::string& path, const std::string& cause) { return {code, path + ": " + cause}; }

std::string holder(int file) {
  char text[32];
  const auto size = ::pread(file, text, sizeof text, 0);
  std::string pid{text, size > 0 ? static_cast<std::size_t>(size) : 0};
  return pid.substr(0, pid.find('\n'));
}

bool write_pid(int file) {
  const auto text = std::to_string(::getpid()) + '\n';
  return ::ftruncate(file, 0) == 0 && ::pwrite(file, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

} // namespace

expected<directory_lock> directory_lock::take(const std::string& directory) {
  const auto path = directory + "/LOCK";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0)
    return refusal(errc::io_failed, path, std::strerror(errno));
  directory_lock lock{file};
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK)
      return refusal(errc::io_failed, path, std::strerror(errno));
    return refusal(errc::resource_locked, path, "the store is open in process " + holder(file));
  }
  if (!write_pid(file))
    return refusal(errc::io_failed, path, std::strerror(errno));
  return lock;
}

directory_lock::directory_lock(directory_lock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

directory_lock::~directory_lock() {
  if (file_ >= 0)
    ::close(file_);
}

} // namespace switchboard::store
