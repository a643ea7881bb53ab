// AMQP reply codes and the texts that stand beside them in connection.close, channel.close and basic.return, worded as
// RabbitMQ 3.10.8 words them, because clients and their tests match parts of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace switchboard::amqp {

/// What a close or return says. The comment says what is true when it is sent; channel or connection: what it ends.
enum class reply_code : std::uint16_t {
  success = 200,             ///< a normal close
  content_too_large = 311,   ///< channel: the body is over the limit
  no_route = 312,            ///< basic.return only: mandatory and no queue took it
  no_consumers = 313,        ///< basic.return only: immediate and nobody waits
  connection_forced = 320,   ///< connection: an operator or a shutdown ends it
  invalid_path = 402,        ///< connection: an unknown virtual host
  access_refused = 403,      ///< channel: not allowed; connection: login refused
  not_found = 404,           ///< channel: no such queue or exchange
  resource_locked = 405,     ///< channel: exclusive to another connection
  precondition_failed = 406, ///< channel: the thing is not as the client says
  frame_error = 501,         ///< connection: bytes that are no frame or no method
  syntax_error = 502,        ///< connection: a field with an illegal value
  command_invalid = 503,     ///< connection: a method that can't be meant
  channel_error = 504,       ///< connection: the channel isn't open, or open already
  unexpected_frame = 505,    ///< connection: a frame of the wrong kind at this moment
  resource_error = 506,      ///< connection: out of something
  not_allowed = 530,         ///< connection: forbidden by settings, e.g. an unknown vhost
  not_implemented = 540,     ///< connection: known to AMQP, not built by RabbitMQ nor here
  internal_error = 541,      ///< connection: our fault
};

/// "FRAME_ERROR", "NOT_FOUND", …
std::string_view name(reply_code code) noexcept;

/// True if the code ends the connection, false if it ends the channel only. access_refused counts as a channel's;
/// a refused login sends it on channel 0 all the same.
bool is_connection_error(reply_code code) noexcept;

/// "NOT_FOUND - no queue 'q' in vhost '/'". Over 255 bytes it is cut to at most 252 and "…" as three dots, as RabbitMQ
/// does, but never inside a UTF-8 character, since strict clients refuse broken text.
std::string reply_text(reply_code code, std::string_view explanation);

/// Octets as Erlang's ~w prints a binary: <<0,20>>. Prints at most the first 128 octets: a reply text holds no more.
std::string octets_text(std::string_view octets);

/// Octets as Erlang's ~p prints a binary: <<"abc">> if all are printable, else <<0,20>>. Differs on purpose for
/// octets over 127, which Erlang takes for Latin-1: they print as numbers, so that the text stays ASCII.
std::string printable_octets_text(std::string_view octets);

/// "all octets = <<0,20>>", or "first 16 octets = …" of a longer payload.
std::string payload_snippet(std::string_view payload);

} // namespace switchboard::amqp
