// expected<T>: a value or an error. The small part of C++23's std::expected that we use; replace it by that one day.
#pragma once

#include <utility>
#include <variant>

#include "base/errc.hpp"

namespace switchboard {

template <class T>
class expected {
public:
  expected(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  expected(switchboard::error err) : state_(std::in_place_index<1>, std::move(err)) {}
  expected(errc code, std::string what) : state_(std::in_place_index<1>, switchboard::error{code, std::move(what)}) {}

  explicit operator bool() const noexcept { return state_.index() == 0; }
  bool has_value() const noexcept { return state_.index() == 0; }

  /// Requires has_value().
  T& operator*() & noexcept { return *std::get_if<0>(&state_); }
  const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }
  T&& operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() noexcept { return std::get_if<0>(&state_); }
  const T* operator->() const noexcept { return std::get_if<0>(&state_); }

  /// Requires !has_value().
  const switchboard::error& error() const noexcept { return *std::get_if<1>(&state_); }

private:
  std::variant<T, switchboard::error> state_;
};

template <>
class expected<void> {
public:
  expected() = default;
  expected(switchboard::error err) : error_(std::move(err)), ok_(false) {}
  expected(errc code, std::string what) : error_{code, std::move(what)}, ok_(false) {}

  explicit operator bool() const noexcept { return ok_; }
  bool has_value() const noexcept { return ok_; }
  const switchboard::error& error() const noexcept { return error_; }

private:
  switchboard::error error_;
  bool ok_ = true;
};

} // namespace switchboard
