#include "runtime/plugin_trial.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/plugin_loader.hpp"

extern char** environ; // NOLINT: POSIX wants it declared by whoever uses it

namespace switchboard::runtime {

namespace {

using steady = std::chrono::steady_clock;

constexpr std::string_view good_word = "good";
constexpr std::string_view refused_word = "refused ";
constexpr std::string_view ended_word = "ended ";

/// A child with a pipe from it. Killed, if it still runs, and waited for at the end.
class trial_child {
public:
  explicit trial_child(const std::vector<std::string>& command) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
      return;
    out_ = ends[0];
    std::vector<char*> arguments;
    for (const auto& one : command)
      arguments.push_back(const_cast<char*>(one.c_str())); // NOLINT: exec's signature is older than const
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    if (::posix_spawn(&pid_, command.front().c_str(), &files, nullptr, arguments.data(), environ) != 0)
      pid_ = 0;
    posix_spawn_file_actions_destroy(&files);
    ::close(ends[1]);
  }
  ~trial_child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
    if (out_ >= 0)
      ::close(out_);
  }
  trial_child(const trial_child&) = delete;
  trial_child& operator=(const trial_child&) = delete;

  bool started() const noexcept { return pid_ > 0; }

  /// errc::timed_out, or errc::internal if it ended instead.
  expected<std::string> line(milliseconds limit) {
    const auto until = steady::now() + limit;
    while (true) {
      if (const auto end = read_.find('\n'); end != std::string::npos) {
        auto found = read_.substr(0, end);
        read_.erase(0, end + 1);
        return found;
      }
      const auto left = std::chrono::ceil<milliseconds>(until - steady::now());
      pollfd ready{out_, POLLIN, 0};
      const int found = ::poll(&ready, 1, static_cast<int>(std::max<milliseconds::rep>(left.count(), 0)));
      if (found == 0)
        return {errc::timed_out, "it did not get ready within " + std::to_string(limit.count()) + " ms"};
      char bytes[1024];
      const auto size = found > 0 ? ::read(out_, bytes, sizeof bytes) : -1;
      if (size > 0)
        read_.append(bytes, static_cast<std::size_t>(size));
      else if (size == 0)
        return {errc::internal, "it ended the process that tried it: " + end_of(wait())};
      else if (errno != EINTR)
        return {errc::internal, std::strerror(errno)};
    }
  }

private:
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status;
  }
  static std::string end_of(int status) {
    if (WIFSIGNALED(status))
      return ::strsignal(WTERMSIG(status));
    return "exit code " + std::to_string(WEXITSTATUS(status));
  }

  pid_t pid_ = 0;
  int out_ = -1;
  std::string read_;
};

expected<void> outcome_of(const std::string& path, const expected<std::string>& line) {
  if (line && *line == good_word)
    return {};
  if (line && line->starts_with(refused_word))
    return {errc::bad_format, line->substr(refused_word.size())};
  if (line && line->starts_with(ended_word))
    return {errc::bad_format,
            "plugin " + path + ": it ended the process that tried it: " + line->substr(ended_word.size())};
  return {errc::bad_format, "plugin " + path + ": " + (line ? "its trial said '" + *line + "'" : line.error().what)};
}

} // namespace

std::vector<expected<void>> try_plugins(const plugin_trial& how, const std::vector<std::string>& paths) {
  std::vector<expected<void>> found;
  if (how.command.empty())
    found.resize(paths.size(), expected<void>{});
  // One process for all, as long as it lives; one that a plugin took along is followed by another for those behind it.
  while (found.size() < paths.size()) {
    auto command = how.command;
    command.insert(command.end(), paths.begin() + static_cast<std::ptrdiff_t>(found.size()), paths.end());
    trial_child child{command};
    if (!child.started()) {
      found.resize(paths.size(), expected<void>{errc::internal, "cannot start " + how.command.front()});
      break;
    }
    for (bool alive = true; alive && found.size() < paths.size();) {
      const auto line = child.line(how.limit);
      alive = line && !line->starts_with(ended_word);
      found.push_back(outcome_of(paths[found.size()], line));
    }
  }
  return found;
}

namespace {

int words_out = -1; // of the trial's process, where its last word goes, too

void say(std::string line) {
  std::replace(line.begin(), line.end(), '\n', ' ');
  line += '\n';
  if (::write(words_out, line.data(), line.size()) < 0)
    ::_exit(1);
}

/// What is thrown while a plugin is loaded can't be caught; it can be told.
[[noreturn]] void tell_why_it_ends() {
  std::string why = "it was aborted";
  if (const auto thrown = std::current_exception()) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& known) {
      why = std::string{"it threw: "} + known.what();
    } catch (...) {
      why = "it threw something that is no exception";
    }
  }
  say(std::string{ended_word} + why);
  ::_exit(1);
}

} // namespace

void run_plugin_trial(const std::vector<std::string>& paths) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  // Our words alone go to the pipe; what a plugin prints goes where errors go.
  words_out = ::dup(STDOUT_FILENO);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  std::set_terminate(&tell_why_it_ends);
  for (const auto& path : paths) {
    const auto loaded = load_plugin(path);
    say(loaded ? std::string{good_word} : std::string{refused_word} + loaded.error().what);
  }
  ::_exit(0);
}

} // namespace switchboard::runtime
