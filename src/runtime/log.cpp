#include "runtime/log.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>

#include <nlohmann/json.hpp>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace switchboard::runtime::log {

namespace {

constexpr std::size_t lines_waiting_max = 8192;

struct logger {
  std::shared_ptr<spdlog::details::thread_pool> pool; // outlives lines_: the logger holds it weakly
  std::shared_ptr<spdlog::async_logger> lines;
  std::string format;
  level least = level::info;
};
/// Set by start(), taken away by stop(); whoever writes meanwhile keeps its copy alive.
std::atomic<std::shared_ptr<logger>> current;

std::string_view text(level at) noexcept {
  switch (at) {
  case level::debug:
    return "debug";
  case level::info:
    return "info";
  case level::warning:
    return "warning";
  case level::error:
    return "error";
  }
  return "error";
}

spdlog::level::level_enum to_spdlog(level at) noexcept {
  switch (at) {
  case level::debug:
    return spdlog::level::debug;
  case level::info:
    return spdlog::level::info;
  case level::warning:
    return spdlog::level::warn;
  case level::error:
    return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string in_quotes(std::string_view value) {
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool is_plain(std::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(),
                                       [](unsigned char c) { return c > ' ' && c != '"' && c != '=' && c != 0x7f; });
}

std::string render_text(level at, std::string_view event, std::initializer_list<field> fields) {
  std::string line{text(at)};
  line.append(" ").append(event);
  for (const auto& [name, value] : fields)
    line.append(" ").append(name).append("=").append(is_plain(value) ? value : in_quotes(value));
  return line;
}

std::string render_json(level at, std::string_view event, std::initializer_list<field> fields) {
  std::string line{"{\"level\":"};
  line.append(in_quotes(text(at))).append(",\"event\":").append(in_quotes(event));
  for (const auto& [name, value] : fields)
    line.append(",").append(in_quotes(name)).append(":").append(in_quotes(value));
  return line + "}";
}

std::unique_ptr<spdlog::formatter> formatter_of(std::string_view format) {
  const char* pattern = format == "json" ? "{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",%v" : "%Y-%m-%dT%H:%M:%S.%eZ %v";
  return std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc);
}

} // namespace

std::string render(level at, std::string_view event, std::initializer_list<field> fields, std::string_view format) {
  return format == "json" ? render_json(at, event, fields) : render_text(at, event, fields);
}

void start(level least, std::string_view format) {
  auto next = std::make_shared<logger>();
  next->format = format;
  next->least = least;
  next->pool = std::make_shared<spdlog::details::thread_pool>(lines_waiting_max, 1);
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  sink->set_formatter(formatter_of(format));
  // A log that blocks would stop calls; the oldest lines go and are counted.
  next->lines = std::make_shared<spdlog::async_logger>("node", std::move(sink), next->pool,
                                                       spdlog::async_overflow_policy::overrun_oldest);
  next->lines->set_level(to_spdlog(least));
  next->lines->flush_on(spdlog::level::warn);
  current.store(std::move(next));
}

void stop() {
  if (auto last = current.exchange(nullptr))
    last->lines->flush();
}

std::uint64_t lost() {
  const auto now = current.load();
  return now ? now->pool->overrun_counter() : 0;
}

void write(level at, std::string_view event, std::initializer_list<field> fields) {
  if (const auto now = current.load()) {
    if (at < now->least)
      return;
    const auto line = render(at, event, fields, now->format);
    // In JSON the time stands inside the object, so the pattern writes the opening brace.
    const auto rest = now->format == "json" ? std::string_view{line}.substr(1) : std::string_view{line};
    now->lines->log(to_spdlog(at), spdlog::string_view_t{rest.data(), rest.size()});
  } else if (at >= level::warning) {
    std::fprintf(stderr, "%s\n", render(at, event, fields, "text").c_str());
  }
}

} // namespace switchboard::runtime::log
