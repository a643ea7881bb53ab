#include "node/files.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>

#include <fcntl.h>
#include <unistd.h>

#include "base/random.hpp"
#include "runtime/plugins.hpp"

namespace switchboard::node {
namespace {

constexpr std::size_t file_bytes_max = 1 << 20;
constexpr std::size_t secret_bytes_min = 32; // RFC 7518, 3.2: not shorter than the hash

error trouble(const std::string& path, const std::string& cause) { return {errc::bad_format, path + ": " + cause}; }
error system_trouble(const std::string& path) { return trouble(path, std::strerror(errno)); }

class descriptor {
public:
  explicit descriptor(int value) : value_(value) {}
  ~descriptor() {
    if (value_ >= 0)
      ::close(value_);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  int get() const noexcept { return value_; }

private:
  int value_;
};

std::string random_hex(std::size_t bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string raw(bytes, '\0'), out;
  fill_random(std::as_writable_bytes(std::span{raw}));
  for (const char c : raw)
    (out += digits[static_cast<unsigned char>(c) >> 4]) += digits[c & 0xf];
  return out;
}

/// Written under a name of its own, then linked: nobody ever reads half a secret, and the first of two makers wins.
expected<void> make_secret(const std::string& path) {
  std::error_code problem;
  std::filesystem::create_directories(std::filesystem::path{path}.parent_path(), problem);
  const auto draft = path + "." + random_hex(8);
  const auto text = random_hex(secret_bytes_min) + "\n";
  {
    const descriptor file{::open(draft.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600)};
    if (file.get() < 0)
      return system_trouble(path);
    if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        ::fsync(file.get()) != 0) {
      const auto failed = system_trouble(path);
      ::unlink(draft.c_str());
      return failed;
    }
  }
  const bool lost = ::link(draft.c_str(), path.c_str()) != 0 && errno != EEXIST;
  const auto failed = system_trouble(path);
  ::unlink(draft.c_str());
  if (lost)
    return failed;
  return {};
}

} // namespace

expected<std::string> read_file(const std::string& path) {
  const descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.get() < 0)
    return system_trouble(path);
  std::string out;
  char part[4096];
  for (;;) {
    const auto got = ::read(file.get(), part, sizeof part);
    if (got < 0 && errno != EINTR)
      return system_trouble(path);
    if (got == 0)
      return out;
    if (got > 0)
      out.append(part, static_cast<std::size_t>(got));
    if (out.size() > file_bytes_max)
      return trouble(path, "is larger than 1 MiB");
  }
}

expected<std::string> read_secret(const std::string& path) {
  auto text = read_file(path);
  if (!text)
    return text;
  auto line = text->substr(0, text->find_first_of("\r\n"));
  if (line.empty())
    return trouble(path, "the first line is empty");
  return line;
}

expected<std::string> read_hs256_secret(const config& settings) {
  const auto path = settings.hs256_secret_path();
  auto secret = read_secret(path);
  if (secret && secret->size() < secret_bytes_min)
    return trouble(path, "an HS256 secret has at least 32 bytes");
  return secret;
}

expected<void> make_missing_secret(const config& settings) {
  const auto path = settings.hs256_secret_path();
  if (settings.jwt.hs256_secret_file.empty() && ::access(path.c_str(), F_OK) != 0)
    return make_secret(path);
  return {};
}

expected<std::string> load_amqp_password(const config& settings) {
  if (settings.amqp.password_file.empty())
    return std::string{"guest"};
  return read_secret(settings.amqp.password_file);
}

std::string plugins_dir(const config& settings) {
  if (!settings.node.plugins_dir.empty())
    return settings.node.plugins_dir;
  std::error_code ignored;
  const auto here = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  const auto installed = here.parent_path() / "lib/switchboard/plugins";
  return (std::filesystem::exists(installed, ignored) ? installed : here / "plugins").string();
}

expected<void> find_plugins(const config& settings) {
  std::error_code ignored;
  for (const auto& name : settings.node.plugins)
    if (const auto path = std::filesystem::path{plugins_dir(settings)} / runtime::plugin_file(name);
        !std::filesystem::exists(path, ignored))
      return {errc::not_found, "node.plugins: " + path.string() + ": there is no such file"};
  return {};
}

} // namespace switchboard::node
