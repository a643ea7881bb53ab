// Members of a state as it is saved: what is empty is not written, what is missing stays as it is.
#pragma once

#include <optional>

#include "messages/envelope.hpp"

namespace switchboard::sdk {

template <class T>
void put(json& out, const char* name, const T& value) {
  if (!(value == T{}))
    out[name] = value;
}
template <class T>
void put(json& out, const char* name, const std::optional<T>& value) {
  if (value)
    out[name] = *value;
}

template <class T>
void take(const json& in, const char* name, T& value) {
  if (const auto found = in.find(name); found != in.end())
    found->get_to(value);
}
template <class T>
void take(const json& in, const char* name, std::optional<T>& value) {
  if (const auto found = in.find(name); found != in.end())
    value = found->template get<T>();
}

} // namespace switchboard::sdk
