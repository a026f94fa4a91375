# SPDX-License-Identifier: MIT
# gmem_install_pc(TEMPLATE): installs what pkg-config reads, NAME.pc of
# NAME.pc.in.  The prefix is found from where it lies, so that it stays true
# after cmake --install --prefix and when the tree is moved.
function(gmem_install_pc template)
  if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
    set(pc_prefix ${CMAKE_INSTALL_PREFIX})
  else()
    file(RELATIVE_PATH up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
         ${CMAKE_INSTALL_PREFIX})
    string(REGEX REPLACE "/$" "" pc_prefix "\${pcfiledir}/${up}")
  endif()
  foreach(dir LIBDIR INCLUDEDIR)
    cmake_path(APPEND pc_${dir} "\${prefix}" "${CMAKE_INSTALL_${dir}}")
  endforeach()
  cmake_path(GET template STEM LAST_ONLY pc)
  configure_file(${template} ${pc} @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${pc}
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
