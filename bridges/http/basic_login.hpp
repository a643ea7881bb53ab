// HTTP's Basic scheme (RFC 7617): name and password of whoever asks, and whether they are a user's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bridges/http/http_message.hpp"
#include "broker/access_rules.hpp"
#include "runtime/node_context.hpp"

namespace switchboard::http {

struct basic_login {
  std::string user, password;
};
/// Empty if the header's value is something else.
std::optional<basic_login> basic_login_of(std::string_view authorization);

/// The user who asks, if he may log in from where he is; empty otherwise. `loopback_user`: from this machine only.
std::optional<std::string> logged_in(const http_request& what, const broker::access_rules& rules,
                                     std::string_view loopback_user);

/// Who may change things and see customers' data on the admin listener: a peer on this machine, else a user who
/// administers. A page elsewhere may have a name that leads here, so a browser on this machine isn't enough.
bool may_administer(const http_request& what, const runtime::node_context& node, std::string_view loopback_user);
/// 401 for whoever may not.
http_answer login_wanted();

} // namespace switchboard::http
