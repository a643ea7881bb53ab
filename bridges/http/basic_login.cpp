#include "bridges/http/basic_login.hpp"

#include "broker/base64.hpp"

namespace switchboard::http {

std::optional<basic_login> basic_login_of(std::string_view authorization) {
  constexpr std::string_view scheme = "Basic ";
  if (!authorization.starts_with(scheme))
    return std::nullopt;
  const auto text = broker::from_base64(authorization.substr(scheme.size()));
  const auto colon = text ? text->find(':') : std::string::npos;
  if (colon == std::string::npos)
    return std::nullopt;
  return basic_login{text->substr(0, colon), text->substr(colon + 1)};
}

std::optional<std::string> logged_in(const http_request& what, const broker::access_rules& rules,
                                     std::string_view loopback_user) {
  const auto login = basic_login_of(what.header("Authorization"));
  const bool from_here = login && (what.from_loopback || login->user != loopback_user);
  if (!from_here || !rules.authenticate(login->user, login->password))
    return std::nullopt;
  return login->user;
}

bool may_administer(const http_request& what, const runtime::node_context& node, std::string_view loopback_user) {
  if (what.from_loopback && is_loopback_host(what.header("Host")))
    return true;
  const auto rules = node.vhosts->access().rules();
  const auto user = logged_in(what, *rules, loopback_user);
  const auto* who = user ? rules->find_user(*user) : nullptr;
  return who && who->has_tag("administrator");
}

http_answer login_wanted() {
  auto refused = error_answer(401, text(errc::access_refused), "only from this machine, or as an administrator");
  refused.headers.emplace_back("WWW-Authenticate", "Basic realm=\"Switchboard\"");
  return refused;
}

} // namespace switchboard::http
