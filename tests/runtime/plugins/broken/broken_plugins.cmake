# One shared object for each case of broken.cpp, and the program that tries them.
set(broken_cases
  foreign_abi newer_abi older_abi_inside other_name other_version no_manifest no_abi_line
  no_entry null_entry entry_throws entry_hangs entry_crashes entry_exits
  hangs_when_loaded throws_when_loaded missing_symbol
  small_description null_types no_types countless_types null_type type_twice
  small_type bad_type_name null_function null_routes countless_routes no_service
  bad_pattern foreign_pattern null_pattern bad_method bad_target no_id no_key route_twice bad_subscription
  type_taken route_taken)
foreach(case ${broken_cases})
  add_library(broken_${case} MODULE "${CMAKE_CURRENT_LIST_DIR}/broken.cpp")
  target_include_directories(broken_${case} PRIVATE "${CMAKE_SOURCE_DIR}/src")
  target_compile_definitions(broken_${case} PRIVATE BROKEN_${case})
  target_compile_options(broken_${case} PRIVATE -O0 -Wno-unused -Wno-return-type)
  set_target_properties(broken_${case} PROPERTIES
    UNITY_BUILD OFF PREFIX "" OUTPUT_NAME "${case}" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/broken_plugins")
  add_dependencies(runtime_test broken_${case})
endforeach()
add_executable(try_plugins "${CMAKE_CURRENT_LIST_DIR}/trial.cpp")
target_link_libraries(try_plugins PRIVATE switchboard_runtime)
add_dependencies(runtime_test try_plugins)
target_compile_definitions(runtime_test PRIVATE
  SWITCHBOARD_BROKEN_PLUGIN_DIR="${CMAKE_BINARY_DIR}/broken_plugins"
  SWITCHBOARD_TRY_PLUGINS="${CMAKE_BINARY_DIR}/try_plugins")
