# How plugins are built, by the examples in this tree as by projects outside it:
#
#   find_package(Switchboard REQUIRED)
#   switchboard_add_plugin(ticket src/ticket.cpp)             -> <build>/plugins/ticket.so
#   switchboard_add_plugin_test(ticket tests/ticket_test.cpp) -> ctest
#
# A plugin's code is compiled once; its test links the same objects and drives them over the C ABI.

function(switchboard_add_plugin name)
  add_library(${name}_code OBJECT ${ARGN})
  target_link_libraries(${name}_code PUBLIC Switchboard::sdk)
  set_target_properties(${name}_code PROPERTIES
    POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  add_library(${name} MODULE $<TARGET_OBJECTS:${name}_code>)
  target_link_libraries(${name} PRIVATE Switchboard::sdk)
  # A missing symbol shows when it is linked, not when the node loads it. Sanitizers leave theirs open.
  if(NOT SWITCHBOARD_SANITIZE AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
  set_target_properties(${name} PROPERTIES
    LINKER_LANGUAGE CXX PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/plugins")
endfunction()

function(switchboard_add_plugin_test name)
  find_package(GTest REQUIRED)
  add_executable(${name}_test ${ARGN} $<TARGET_OBJECTS:${name}_code>)
  target_link_libraries(${name}_test PRIVATE Switchboard::sdk GTest::gtest GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name}_test)
endfunction()
