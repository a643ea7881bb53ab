// Which HTTP request each command is. Pure: arguments in, request out. Routes are those of the services
// (actors/*/README).
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/expected.hpp"

namespace switchboard::node {

using json = nlohmann::json;

/// One request to the gateway or, for `actors`, to the admin listener.
struct client_request {
  std::string method;
  std::string target; ///< path and query
  json body;          ///< null: none
};

/// Whom a new call, agent or queue belongs to, and whose events `tail` shows, when --customer does not say.
inline constexpr std::string_view default_customer = "demo";

struct new_call {
  std::string id; ///< of the caller's choice; empty: the node makes one. The same for agents and queues
  std::string customer;
  std::string from;
  std::string to;
  bool incoming = false; ///< a caller who arrives, instead of a call we place
};
client_request create_call(const new_call& wanted);
client_request hang_up_call(const std::string& id);

struct new_agent {
  std::string id;
  std::string customer;
  std::string name;
  std::string address; ///< number or SIP address at which the agent is rung; empty: none
};
client_request create_agent(const new_agent& wanted);
client_request log_in_agent(const std::string& id);
client_request log_out_agent(const std::string& id);
client_request set_agent_status(const std::string& id, const std::string& status);

struct new_queue {
  std::string id;
  std::string customer;
  std::string name;
};
client_request create_queue(const new_queue& wanted);
client_request add_queue_agent(const std::string& queue, const std::string& agent);
client_request add_queue_caller(const std::string& queue, const std::string& call);
client_request list_queue_callers(const std::string& queue);

/// `resources` is the plural in the route: "calls".
client_request show_one(const std::string& resources, const std::string& id);
client_request list_all(const std::string& resources, int page_size);

/// `queue`: one for dead letters, or the one it stands beside; for the list empty: all.
client_request list_dead_letters(const std::string& queue, int limit);
client_request show_dead_letter(const std::string& queue, const std::string& id);
/// No ids: all.
client_request replay_dead_letters(const std::string& queue, const std::vector<std::string>& ids);
/// Empty id: all.
client_request purge_dead_letters(const std::string& queue, const std::string& id);

client_request list_plugins();
client_request load_plugin(const std::string& path);
client_request roll_back_plugin(const std::string& name);

struct history_wanted {
  std::string type, id;
  std::string after; ///< sequence of the last line of the page before; empty: from the beginning
  int limit = 100;
  bool with_states = false;
  bool replay = false; ///< not the lines: whether deciding them again comes to the same
};
client_request show_history(const history_wanted& wanted);

client_request list_actors(const std::string& prefix, int limit);

/// METHOD ROUTE [JSON] as typed. errc::bad_format for anything but a known method, a route from / on, and JSON.
expected<client_request> free_request(const std::string& method, const std::string& route, const std::string& body);

/// The topic a `tail` argument means: nothing -> everything of the customer; "call" or "call:<id>" -> that resource of
/// the customer; a full topic stays.
std::string tail_topic(const std::string& argument, const std::string& customer);

/// `text` with everything but unreserved characters as %XX.
std::string percent_encoded(std::string_view text);

} // namespace switchboard::node
