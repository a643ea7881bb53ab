// The log: a stable event name and fields, `call_answered call=… ring_ms=…`, one line each, by one log thread. Values
// with blanks, quotes or control characters are quoted. No tokens, no bodies.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace switchboard::runtime::log {

enum class level { debug, info, warning, error };

struct field {
  std::string_view name;
  std::string value;
  field(std::string_view n, std::string_view v) : name(n), value(v) {}
  field(std::string_view n, const char* v) : name(n), value(v) {}
  field(std::string_view n, std::string v) : name(n), value(std::move(v)) {}
  template <class Number>
  requires std::is_arithmetic_v<Number> field(std::string_view n, Number v) : name(n), value(std::to_string(v)) {}
};

/// `format` "text" or "json"; to stderr. Call once, before any thread logs. Without it only warnings and errors are
/// written, at once and by the caller.
void start(level least, std::string_view format);
/// Writes what is queued and ends the log thread.
void stop();
/// Lines overwritten because the log thread could not keep up, since start().
std::uint64_t lost();

void write(level at, std::string_view event, std::initializer_list<field> fields = {});
inline void info(std::string_view event, std::initializer_list<field> fields = {}) {
  write(level::info, event, fields);
}
inline void warning(std::string_view event, std::initializer_list<field> fields = {}) {
  write(level::warning, event, fields);
}
inline void failure(std::string_view event, std::initializer_list<field> fields = {}) {
  write(level::error, event, fields);
}
inline void debug(std::string_view event, std::initializer_list<field> fields = {}) {
  write(level::debug, event, fields);
}

/// One line as it will be written, without its time. Pure.
std::string render(level at, std::string_view event, std::initializer_list<field> fields, std::string_view format);

} // namespace switchboard::runtime::log
