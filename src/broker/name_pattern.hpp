// Which names a permission or a policy means: a regular expression as operators know them from RabbitMQ (Erlang's re,
// which is PCRE). Not anchored; the empty one matches nothing. Pure.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/expected.hpp"

namespace switchboard::broker {

/// An immutable value; copies share the compiled expression.
class name_pattern {
public:
  /// Matches nothing.
  name_pattern() = default;
  /// errc::bad_format says what is wrong with the expression.
  static expected<name_pattern> make(std::string text);

  /// Names are bytes. An expression that would take too long on this name doesn't match it.
  bool matches(std::string_view name) const noexcept;
  /// Known to match every name without looking (".*"): what most users have.
  bool matches_all() const noexcept { return all_; }
  const std::string& text() const noexcept { return text_; }

private:
  struct compiled;
  std::string text_;
  std::shared_ptr<const compiled> compiled_;
  bool all_ = false;
};

} // namespace switchboard::broker
