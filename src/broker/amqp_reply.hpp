// Errors of the broker as AMQP tells them: the whole text begins with the protocol's name of the code, so that a bridge
// passes it on unread ("NOT_FOUND - no queue 'q' in vhost '/'"). Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/errc.hpp"

namespace switchboard::broker {

/// 404 for "NOT_FOUND - …" and so on; without such a name the code that fits best, at last 541 (internal error).
int reply_code(const error& why) noexcept;

error not_found(std::string_view text);           ///< 404
error access_refused(std::string_view text);      ///< 403
error resource_locked(std::string_view text);     ///< 405
error precondition_failed(std::string_view text); ///< 406
error command_invalid(std::string_view text);     ///< 503, ends the connection
error not_implemented(std::string_view text);     ///< 540, ends the connection

/// "queue 'q' in vhost '/'": how every text names a thing.
std::string named(std::string_view kind, std::string_view name, std::string_view vhost);

} // namespace switchboard::broker
