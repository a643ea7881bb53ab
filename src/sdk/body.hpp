// Reads the members of a message's body and remembers the first thing that is wrong, so that a handler reads all it
// needs and checks once. Missing members give the default; wrong types never do.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "sdk/message.hpp"
#include "sdk/outcome.hpp"

namespace switchboard::sdk {

inline constexpr std::size_t text_bytes_max = 1024;

class body_reader {
public:
  /// A missing body reads as {}. Refers to `from`, which must live as long.
  explicit body_reader(const message& from) {
    const auto& body = from.body();
    if (!body)
      complain(body.error().what, body.error().code);
    else if (body->is_object())
      object_ = &*body;
    else if (!body->is_null())
      complain("the body must be a JSON object");
  }
  explicit body_reader(const json& object) : object_(&object) {}

  /// nullptr if it is missing or null.
  const json* find(std::string_view name) const {
    const auto found = object_->find(name);
    return found == object_->end() || found->is_null() ? nullptr : &*found;
  }

  std::string text(const char* name, std::string otherwise = {}) {
    const auto* found = find(name);
    if (!found)
      return otherwise;
    const auto* value = found->get_ptr<const std::string*>();
    if (!value || value->size() > text_bytes_max)
      return complain_of(name, "must be a text of at most 1024 bytes"), otherwise;
    return *value;
  }

  /// An id of another resource, required.
  std::string identity(const char* name) {
    auto value = text(name);
    if (!is_identity(value))
      complain_of(name, "must be an id");
    return value;
  }

  bool flag(const char* name, bool otherwise) {
    const auto* found = find(name);
    if (!found)
      return otherwise;
    if (!found->is_boolean())
      return complain_of(name, "must be true or false"), otherwise;
    return found->get<bool>();
  }

  std::int64_t integer(const char* name, std::int64_t otherwise, std::int64_t least, std::int64_t most) {
    const auto* found = find(name);
    if (!found)
      return otherwise;
    const bool fits =
        found->is_number_integer() && (!found->is_number_unsigned() || found->get<std::uint64_t>() <= INT64_MAX);
    if (!fits || found->get<std::int64_t>() < least || found->get<std::int64_t>() > most)
      return complain_of(name, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most)),
             otherwise;
    return found->get<std::int64_t>();
  }

  /// In milliseconds; at most a week.
  milliseconds duration(const char* name_ms, milliseconds otherwise, milliseconds least = milliseconds{0}) {
    constexpr milliseconds week = std::chrono::hours{24 * 7};
    return milliseconds{integer(name_ms, otherwise.count(), least.count(), week.count())};
  }

  std::vector<std::string> texts(const char* name, std::size_t count_max = 100) {
    std::vector<std::string> read;
    const auto* found = find(name);
    if (!found)
      return read;
    if (!found->is_array() || found->size() > count_max)
      return complain_of(name, "must be a list of at most " + std::to_string(count_max) + " texts"), read;
    for (const auto& one : *found) {
      const auto* value = one.get_ptr<const std::string*>();
      if (!value || value->size() > text_bytes_max)
        return complain_of(name, "must be a list of texts of at most 1024 bytes"), read;
      read.push_back(*value);
    }
    return read;
  }

  void complain_of(std::string_view name, std::string_view what) {
    complain(std::string{name}.append(" ").append(what));
  }
  void complain(std::string what, errc code = errc::bad_format) {
    if (!wrong_)
      wrong_ = error{code, std::move(what)};
  }

  /// The first thing that was wrong.
  const std::optional<error>& wrong() const noexcept { return wrong_; }

private:
  static const json& nothing() {
    static const json empty = json::object();
    return empty;
  }

  const json* object_ = &nothing();
  std::optional<error> wrong_;
};

/// The tenant of a new resource: the sender's, or for an inside caller the body's "customer_id". Nobody makes resources
/// for another tenant (403).
inline std::string read_customer(body_reader& in, const message& from) {
  const auto named = in.text("customer_id");
  if (!from.customer_id.empty() && !named.empty() && named != from.customer_id)
    in.complain("customer_id in the body is not the sender's", errc::access_refused);
  const auto& customer = from.customer_id.empty() ? named : from.customer_id;
  if (!is_identity(customer))
    in.complain("customer_id is missing: it stands in the headers or in the body");
  return customer;
}

/// The error reply for what a body_reader complained of.
template <class State>
outcome<State> refused(const error& why) {
  const auto status = status_of(why.code);
  const char* reason = status == 403 ? "PERMISSION_DENIED" : status == 413 ? "TOO_LARGE" : "INVALID_ARGUMENT";
  return refused<State>(status, reason, why.what);
}

} // namespace switchboard::sdk
