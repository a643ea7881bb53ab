// One request to the management API on its way: what was asked, by whom, and the ways to answer. Internal to
// management*.cpp.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bridges/http/http_application.hpp"
#include "bridges/http/management_json.hpp"
#include "broker/access_rules.hpp"

namespace switchboard::http {

struct management_call {
  http_request what;
  std::vector<std::string> path; ///< segments after /api, decoded
  std::string user;
  std::shared_ptr<const broker::access_rules> rules; ///< of the moment the request came
  application::reply done;                           ///< from any thread, once

  /// HEAD is a GET whose body the listener leaves out.
  bool is(std::string_view method) const noexcept {
    return what.method == method || (what.method == "HEAD" && method == "GET");
  }
  bool has_tag(std::string_view tag) const {
    const auto* who = rules->find_user(user);
    return who && who->has_tag(tag);
  }
  bool administers() const { return has_tag("administrator"); }
  bool monitors() const { return administers() || has_tag("monitoring"); }
  bool makes_policies() const { return administers() || has_tag("policymaker"); }
  /// Lists show what is in vhosts that the user may enter, and everything to those who monitor.
  bool sees(std::string_view vhost) const { return monitors() || rules->may_enter(user, vhost); }
  bool may(broker::action action, std::string_view vhost, std::string_view resource) const {
    return rules->may(user, vhost, action, resource.empty() ? "amq.default" : resource);
  }

  void answer(int status, const ordered_json& body) const;
  /// A GET's answer, with the query's columns, sort and page applied.
  void show(ordered_json body) const;
  void empty(int status) const; ///< 201, 204
  void error(int status, std::string_view word, std::string_view reason) const;
  void bad(std::string_view reason) const { error(400, "bad_request", reason); }
  void not_found() const { error(404, "Object Not Found", "Not Found"); }
  void refused(std::string_view reason = "Access refused.") const { error(401, "not_authorised", reason); }
  void no_method() const;
  /// The HTTP form of one of our errors.
  void fail(const switchboard::error& why) const;
  /// The body as an object; empty body: an empty object. False, and answered, if it is neither.
  bool read(ordered_json& into) const;
};
using call_ptr = std::shared_ptr<const management_call>;

} // namespace switchboard::http
