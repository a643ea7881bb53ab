// The map of this file: state and view, who asks, the chat, its participants, its messages, reactions.
#include "actors/talk/chat.hpp"

#include <algorithm>
#include <utility>

#include "base/ids.hpp"

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(reaction, emoji, agent_ids)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(chat_message, id, agent_id, text, parent_id, reactions, sent)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(chat, id, customer_id, kind, name, detail, participants, messages, message_count,
                                   created, updated)

namespace {

using result = sdk::outcome<chat>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

json view(const chat& c) {
  json participants = json::array();
  for (const auto& agent : c.participants)
    participants.push_back({{"owner_type", "agent"}, {"owner_id", agent}});
  return {{"id", c.id},
          {"customer_id", c.customer_id},
          {"type", sdk::text(c.kind)},
          {"name", c.name},
          {"detail", c.detail},
          {"participants", std::move(participants)},
          {"message_count", c.message_count},
          {"tm_create", sdk::shown(c.created)},
          {"tm_update", sdk::shown(c.updated)}};
}

json view_of(const chat& c, const chat_message& m) {
  return {
      {"id", m.id},     {"chat_id", c.id},          {"customer_id", c.customer_id}, {"agent_id", m.agent_id},
      {"text", m.text}, {"parent_id", m.parent_id}, {"reactions", m.reactions},     {"tm_create", sdk::shown(m.sent)}};
}

/// For everybody who takes part: their topics are made of agent_ids.
json for_all(const chat& c, json data) {
  data["agent_ids"] = c.participants;
  return data;
}

result shows(const chat& c) {
  result out;
  out.reply(200, view(c));
  return out;
}

// -- who asks ---------------------------------------------------------------------------------------------------------

/// The agent whose token it is; empty if it is a customer's program.
std::string agent_of(const message& msg) {
  const auto headers = msg.headers_text.empty() ? expected<json>{json::object()} : parse_json(msg.headers_text);
  if (!headers || !headers->is_object())
    return {};
  const auto found = headers->find("agent_id");
  return found != headers->end() && found->is_string() ? found->get<std::string>() : std::string{};
}

bool takes_part(const chat& c, const std::string& agent) {
  return std::find(c.participants.begin(), c.participants.end(), agent) != c.participants.end();
}

/// An agent sees the chats he takes part in, and no others.
bool may_see(const chat& c, const message& msg) {
  const auto agent = agent_of(msg);
  return agent.empty() || takes_part(c, agent);
}
result unseen() { return sdk::refused<chat>(404, "NOT_FOUND", "no such resource"); }

/// Who writes or reacts: the agent of the token; a program says for whom it does.
std::string read_writer(body_reader& in, const message& msg, const chat& c) {
  const auto agent = agent_of(msg);
  const auto named = in.text("agent_id", agent.empty() ? msg.query_parameter("agent_id") : agent);
  if (!agent.empty() && named != agent)
    in.complain("nobody writes in another agent's name", errc::access_refused);
  else if (!is_identity(named))
    in.complain_of("agent_id", "must be an id");
  else if (!takes_part(c, named))
    in.complain("this agent takes no part in the chat", errc::access_refused);
  return named;
}

// -- the chat ---------------------------------------------------------------------------------------------------------

void read_names(body_reader& in, chat& c) {
  c.name = in.text("name", c.name);
  c.detail = in.text("detail", c.detail);
}

void add_once(chat& c, std::string agent) {
  if (!takes_part(c, agent))
    c.participants.push_back(std::move(agent));
}

result create(const message& msg, const context& ctx) {
  body_reader in{msg};
  chat c;
  c.id = ctx.id();
  c.customer_id = sdk::read_customer(in, msg);
  read_names(in, c);
  const auto kind = sdk::from_text<chat_kind>(in.text("type", "group"));
  if (!kind)
    in.complain("type must be group or direct");
  c.kind = kind.value_or(chat_kind::group);
  if (auto agent = agent_of(msg); !agent.empty())
    c.participants.push_back(std::move(agent));
  for (auto& agent : in.texts("participant_ids", participants_max)) {
    if (!is_identity(agent))
      in.complain_of("participant_ids", "must be agents' ids");
    add_once(c, std::move(agent));
  }
  if (!may_have(c.kind, c.participants.size()))
    in.complain_of("participant_ids",
                   c.kind == chat_kind::direct ? "must be two agents" : "must be at most 100 agents");
  if (in.wrong())
    return sdk::refused<chat>(*in.wrong());
  c.created = c.updated = ctx.now();
  result out;
  out.event("chat.created", for_all(c, view(c))).reply(200, view(c)).next(std::move(c));
  return out;
}

result show(chat c, const message& msg, const context&) { return may_see(c, msg) ? shows(c) : unseen(); }

result update(chat c, const message& msg, const context& ctx) {
  if (!may_see(c, msg))
    return unseen();
  body_reader in{msg};
  read_names(in, c);
  if (in.wrong())
    return sdk::refused<chat>(*in.wrong());
  c.updated = ctx.now();
  result out;
  out.event("chat.updated", for_all(c, view(c))).reply(200, view(c)).next(std::move(c));
  return out;
}

result remove(chat c, const message& msg, const context&) {
  if (!may_see(c, msg))
    return unseen();
  result out;
  out.event("chat.deleted", for_all(c, view(c))).reply(200, view(c)).end();
  return out;
}

// -- participants -----------------------------------------------------------------------------------------------------

json participant_data(const chat& c, const std::string& agent) {
  return {
      {"id", agent}, {"chat_id", c.id}, {"customer_id", c.customer_id}, {"owner_type", "agent"}, {"owner_id", agent}};
}

result add_participant(chat c, const message& msg, const context& ctx) {
  if (!may_see(c, msg))
    return unseen();
  body_reader in{msg};
  auto agent = in.identity("agent_id");
  if (in.wrong())
    return sdk::refused<chat>(*in.wrong());
  if (takes_part(c, agent))
    return shows(c);
  if (!may_have(c.kind, c.participants.size() + 1))
    return c.kind == chat_kind::direct
               ? sdk::refused<chat>(409, "FAILED_PRECONDITION", "a direct chat has two participants")
               : sdk::refused<chat>(429, "RESOURCE_EXHAUSTED", "the chat is full");
  c.participants.push_back(agent);
  c.updated = ctx.now();
  result out;
  out.event("chatparticipant.added", for_all(c, participant_data(c, agent))).reply(200, view(c)).next(std::move(c));
  return out;
}

/// Who goes is told as well.
result remove_participant(chat c, const message& msg, const context& ctx) {
  const auto agent = msg.path_parameter("agent_id");
  if (!may_see(c, msg) || !takes_part(c, agent))
    return unseen();
  if (!may_have(c.kind, c.participants.size() - 1))
    return sdk::refused<chat>(409, "FAILED_PRECONDITION", "a direct chat has two participants");
  auto data = for_all(c, participant_data(c, agent));
  std::erase(c.participants, agent);
  c.updated = ctx.now();
  result out;
  out.event("chatparticipant.removed", std::move(data)).reply(200, view(c)).next(std::move(c));
  return out;
}

// -- messages ---------------------------------------------------------------------------------------------------------

auto find_message(chat& c, const std::string& id) {
  return std::find_if(c.messages.begin(), c.messages.end(), [&](const chat_message& m) { return m.id == id; });
}

std::string read_chat_text(body_reader& in) {
  const auto* given = in.find("text");
  const auto* value = given ? given->get_ptr<const std::string*>() : nullptr;
  if (value && !value->empty() && value->size() <= message_bytes_max)
    return *value;
  in.complain_of("text", "must be a text of 1 to 4096 bytes");
  return {};
}

/// The oldest go; they are in the event log.
void keep_within_bounds(chat& c) {
  std::size_t bytes = 0;
  for (const auto& m : c.messages)
    bytes += m.text.size();
  auto first = c.messages.begin();
  for (; !fits_history(static_cast<std::size_t>(c.messages.end() - first), bytes); ++first)
    bytes -= first->text.size();
  c.messages.erase(c.messages.begin(), first);
}

result write(chat c, const message& msg, const context& ctx) {
  if (!may_see(c, msg))
    return unseen();
  body_reader in{msg};
  chat_message m;
  m.agent_id = read_writer(in, msg, c);
  m.text = read_chat_text(in);
  m.parent_id = in.text("parent_id");
  if (!m.parent_id.empty() && find_message(c, m.parent_id) == c.messages.end())
    in.complain_of("parent_id", "must be a message of this chat");
  if (in.wrong())
    return sdk::refused<chat>(*in.wrong());
  m.id = ctx.make_uuid();
  m.sent = c.updated = ctx.now();
  ++c.message_count;
  c.messages.push_back(m);
  keep_within_bounds(c);
  const auto shown = view_of(c, m);
  result out;
  out.event("chatmessage.created", for_all(c, shown)).reply(200, shown).next(std::move(c));
  return out;
}

result list_messages(chat c, const message& msg, const context&) {
  if (!may_see(c, msg))
    return unseen();
  json messages = json::array();
  for (auto m = c.messages.rbegin(); m != c.messages.rend(); ++m)
    messages.push_back(view_of(c, *m));
  result out;
  out.reply(200, {{"result", std::move(messages)}, {"message_count", c.message_count}});
  return out;
}

/// An agent takes back what he wrote himself.
result delete_message(chat c, const message& msg, const context& ctx) {
  const auto found = find_message(c, msg.path_parameter("message_id"));
  if (!may_see(c, msg) || found == c.messages.end())
    return unseen();
  const auto agent = agent_of(msg);
  if (!agent.empty() && agent != found->agent_id)
    return sdk::refused<chat>(403, "PERMISSION_DENIED", "it is another agent's message");
  const auto shown = view_of(c, *found);
  c.messages.erase(found);
  c.updated = ctx.now();
  result out;
  out.event("chatmessage.deleted", for_all(c, shown)).reply(200, shown).next(std::move(c));
  return out;
}

// -- reactions --------------------------------------------------------------------------------------------------------

/// True if that changed anything.
bool react(chat_message& m, const std::string& emoji, const std::string& agent) {
  auto found =
      std::find_if(m.reactions.begin(), m.reactions.end(), [&](const reaction& r) { return r.emoji == emoji; });
  if (found == m.reactions.end())
    found = m.reactions.insert(found, {emoji, {}});
  if (std::find(found->agent_ids.begin(), found->agent_ids.end(), agent) != found->agent_ids.end())
    return false;
  found->agent_ids.push_back(agent);
  return true;
}

bool take_back(chat_message& m, const std::string& emoji, const std::string& agent) {
  const auto found =
      std::find_if(m.reactions.begin(), m.reactions.end(), [&](const reaction& r) { return r.emoji == emoji; });
  if (found == m.reactions.end() || std::erase(found->agent_ids, agent) == 0)
    return false;
  if (found->agent_ids.empty())
    m.reactions.erase(found);
  return true;
}

result change_reaction(chat c, const message& msg, const context& ctx,
                       bool (*change)(chat_message&, const std::string&, const std::string&)) {
  const auto found = find_message(c, msg.path_parameter("message_id"));
  if (!may_see(c, msg) || found == c.messages.end())
    return unseen();
  body_reader in{msg};
  const auto agent = read_writer(in, msg, c);
  const auto emoji = in.text("emoji", msg.query_parameter("emoji"));
  if (!is_reaction(emoji))
    in.complain_of("emoji", "must be one emoji");
  if (in.wrong())
    return sdk::refused<chat>(*in.wrong());
  const bool changed = change(*found, emoji, agent);
  if (found->reactions.size() > reactions_max)
    return sdk::refused<chat>(429, "RESOURCE_EXHAUSTED", "this message has 20 different reactions");
  const auto shown = view_of(c, *found);
  result out;
  out.reply(200, shown);
  if (!changed)
    return out;
  c.updated = ctx.now();
  out.event("chatmessage.reaction_updated", for_all(c, shown)).next(std::move(c));
  return out;
}
result add_reaction(chat c, const message& msg, const context& ctx) {
  return change_reaction(std::move(c), msg, ctx, react);
}
result remove_reaction(chat c, const message& msg, const context& ctx) {
  return change_reaction(std::move(c), msg, ctx, take_back);
}

} // namespace

const sdk::entity_type<chat>& chat_type() {
  using namespace sdk;
  using c = chat;
  static const entity_type<c> made{
      "chat",
      "talk",
      1,
      view,
      {
          creates<c>("POST", "/v1/chats", create),
          lists<c>("GET", "/v1/chats"),
          answers<c>("GET", "/v1/chats/{id}", show),
          answers<c>("PUT", "/v1/chats/{id}", update),
          answers<c>("DELETE", "/v1/chats/{id}", remove),
          answers<c>("POST", "/v1/chats/{id}/participants", add_participant),
          answers<c>("DELETE", "/v1/chats/{id}/participants/{agent_id}", remove_participant),
          answers<c>("POST", "/v1/chats/{id}/messages", write),
          answers<c>("GET", "/v1/chats/{id}/messages", list_messages),
          answers<c>("DELETE", "/v1/chats/{id}/messages/{message_id}", delete_message),
          answers<c>("POST", "/v1/chats/{id}/messages/{message_id}/reactions", add_reaction),
          answers<c>("DELETE", "/v1/chats/{id}/messages/{message_id}/reactions", remove_reaction),
      }};
  return made;
}

} // namespace switchboard::telephony
