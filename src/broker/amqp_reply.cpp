#include "broker/amqp_reply.hpp"

namespace switchboard::broker {

namespace {

struct reply {
  std::string_view name;
  int code;
};
constexpr reply replies[] = {
    {"ACCESS_REFUSED", 403},  {"NOT_FOUND", 404},   {"RESOURCE_LOCKED", 405}, {"PRECONDITION_FAILED", 406},
    {"COMMAND_INVALID", 503}, {"NOT_ALLOWED", 530}, {"NOT_IMPLEMENTED", 540}, {"INTERNAL_ERROR", 541},
};

int code_of_kind(errc code) noexcept {
  switch (code) {
  case errc::access_refused:
    return 403;
  case errc::not_found:
    return 404;
  case errc::resource_locked:
    return 405;
  case errc::precondition_failed:
  case errc::wrong_state:
    return 406;
  case errc::not_implemented:
    return 540;
  default:
    return 541;
  }
}

error with_name(errc code, std::string_view name, std::string_view text) {
  std::string whole{name};
  whole.append(" - ").append(text);
  return {code, std::move(whole)};
}

} // namespace

int reply_code(const error& why) noexcept {
  const std::string_view text{why.what};
  for (const auto& each : replies)
    if (text.starts_with(each.name) && text.substr(each.name.size()).starts_with(" - "))
      return each.code;
  return code_of_kind(why.code);
}

error not_found(std::string_view text) { return with_name(errc::not_found, "NOT_FOUND", text); }

error access_refused(std::string_view text) { return with_name(errc::access_refused, "ACCESS_REFUSED", text); }

error resource_locked(std::string_view text) { return with_name(errc::resource_locked, "RESOURCE_LOCKED", text); }

error precondition_failed(std::string_view text) {
  return with_name(errc::precondition_failed, "PRECONDITION_FAILED", text);
}

error not_implemented(std::string_view text) { return with_name(errc::not_implemented, "NOT_IMPLEMENTED", text); }
error command_invalid(std::string_view text) { return with_name(errc::bad_format, "COMMAND_INVALID", text); }

std::string named(std::string_view kind, std::string_view name, std::string_view vhost) {
  std::string text{kind};
  return text.append(" '").append(name).append("' in vhost '").append(vhost).append("'");
}

} // namespace switchboard::broker
