/**
 * Data compressed by other programs: gzip 1.12, lz4 1.9.4 and zstd 1.5.4.
 */

/** What all samples hold: 227,700 bytes, which is more than one block of each format. */
export const SAMPLE_CONTENT = Buffer.from(
  Array.from({ length: 60 }, (_, i) => i * i)
    .join(',')
    .repeat(900),
)

/** `gzip -9n` */
export const GZIP_SAMPLE = fromBase64(`
  H4sIAAAAAAACA+3PwQHEIAgEwIZ4iBoT+2/soIt7zItEAXdGZOy4kSfmE+vEvnF2fBk5RuSsunfdVsetluqZT9Xvxpq7+mu6+vau+u145o3nPXGq71R96/+t86/u
  b/Xd03trMEdtyKxV2Ttz1vJc/cru555+93SA00neSpTf7gyVcI5OkZ14jhtzjR1zj6xkNTFPf7199vXtrb7VE6v2d+hKvmrf2l8OeHh4eHh4eHh4eHh4eHh4eHh4
  eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4
  eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4
  eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4
  eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4
  eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4
  eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4
  eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4
  eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4
  eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4
  eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4ePh/xP8Ap/1X+XR5AwA=
`)

/** `lz4 -BD -B4 --content-size -BX`: blocks that refer to those before them, checksums of blocks and content, content size. */
export const LZ4_LINKED_SAMPLE = fromBase64(`
  BCJNGFxAdHkDAAAAAACL+QEAAPBhMCwxLDQsOSwxNiwyNSwzNiw0OSw2NCw4MSwxMDAsMTIxLDE0NCwxNjksMTk2LDIyNSwyNTYsMjg5LDMyNCwzNjEsNDAwLDQ0
  MSw0ODQsNTI5LDU3Niw2MjUsNjc2LDcyOSw3ODQsODQxLDkwMCw5NlgA4DI0LDEwODksMTE1NiwxVABwMTI5NiwxM2YAEDRvABA1eAAQNoEAEDaKAHA3NjQsMTg0
  hABQMzYsMjCGABAxsgDwBjIwOSwyMzA0LDI0MDEsMjUwMCwyNgoAEDcUABA4HgBQOTE2LDMyAEAzMTM2tQC/OSwzMzY0LDM0ODH9AP//////////////////////
  ////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////
  ////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////
  /////////////////////////////////////////////////////////////////////+pQNCw5LDEra5M0CgEAAA/9AP//////////////////////////////
  ////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////
  ////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////
  ///////////////////////////////////////////////////////////////oUCwzNiw07YBavwoBAAAP/QD/////////////////////////////////////
  ////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////
  ////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////
  ////////////////////////////////////////////////////////6FAsODEsMW4fc/uDAAAAD/0A////////////////////////////////////////////
  /////////////////////////////////////////////////////////////////////////////////////////////////////////////////////9VQLDM0
  ODGsiU2pAAAAACjKLq8=
`)

/** `lz4 -B4 --no-frame-crc`: independent blocks and no checksum, as Kafka's clients write them. */
export const LZ4_INDEPENDENT_SAMPLE = fromBase64(`
  BCJNGGBAgvkBAADwYTAsMSw0LDksMTYsMjUsMzYsNDksNjQsODEsMTAwLDEyMSwxNDQsMTY5LDE5NiwyMjUsMjU2LDI4OSwzMjQsMzYxLDQwMCw0NDEsNDg0LDUy
  OSw1NzYsNjI1LDY3Niw3MjksNzg0LDg0MSw5MDAsOTZYAOAyNCwxMDg5LDExNTYsMVQAcDEyOTYsMTNmABA0bwAQNXgAEDaBABA2igBwNzY0LDE4NIQAUDM2LDIw
  hgAQMbIA8AYyMDksMjMwNCwyNDAxLDI1MDAsMjYKABA3FAAQOB4AUDkxNiwzMgBAMzEzNrUAvzksMzM2NCwzNDgx/QD/////////////////////////////////
  ////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////
  ////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////
  ///////////////////////////////////////////////////////////qUDQsOSwx+gEAAPBYNiwyNSwzNiw0OSw2NCw4MSwxMDAsMTIxLDE0NCwxNjksMTk2
  LDIyNSwyNTYsMjg5LDMyNCwzNjEsNDAwLDQ0MSw0ODQsNTI5LDU3Niw2MjUsNjc2LDcyOSw3ODQsODQxLDkwMCw5NlgA4DI0LDEwODksMTE1NiwxVABwMTI5Niwx
  M2YAEDRvABA1eAAQNoEAEDaKAHA3NjQsMTg0hABQMzYsMjCGACAxMY8A8AUwOSwyMzA0LDI0MDEsMjUwMCwyNgoAEDcUABA4HgBQOTE2LDMyAEAzMTM2tQD/BTks
  MzM2NCwzNDgxMCwxLDQsOSwx/QD/////////////////////////////////////////////////////////////////////////////////////////////////
  ////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////
  ///////////////////////////////////////////////////////////////////////////////////////////////////////////////////////qUCwz
  Niw0+QEAAPBPOSw2NCw4MSwxMDAsMTIxLDE0NCwxNjksMTk2LDIyNSwyNTYsMjg5LDMyNCwzNjEsNDAwLDQ0MSw0ODQsNTI5LDU3Niw2MjUsNjc2LDcyOSw3ODQs
  ODQxLDkwMCw5NlgA4DI0LDEwODksMTE1NiwxVABwMTI5NiwxM2YAEDRvABA1eAAQNoEAEDaKAHA3NjQsMTg0hABQMzYsMjCGACAxMY8A8AUwOSwyMzA0LDI0MDEs
  MjUwMCwyNgoAEDcUABA4HgBQOTE2LDMyAEAzMTM2tQDwBDksMzM2NCwzNDgxMCwxLDQsOSxLAG81LDM2LDT9AP//////////////////////////////////////
  ////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////
  ////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////
  /////////////////////////////////////////////////////+pQLDgxLDFzAQAA8FgwMCwxMjEsMTQ0LDE2OSwxOTYsMjI1LDI1NiwyODksMzI0LDM2MSw0
  MDAsNDQxLDQ4NCw1MjksNTc2LDYyNSw2NzYsNzI5LDc4NCw4NDEsOTAwLDk2MSwxMDI0LDEwODksMTE1NiwxVABwMTI5NiwxM2YAEDRvABA1eAAQNoEAwDY4MSwx
  NzY0LDE4NIQAUDM2LDIwhgAgMTGPAPAFMDksMjMwNCwyNDAxLDI1MDAsMjYKABA3FAAQOB4AUDkxNiwzMgBAMzEzNrUA8AQ5LDMzNjQsMzQ4MTAsMSw0LDksSwCw
  NSwzNiw0OSw2NCxzAA/9AP//////////////////////////////////////////////////////////////////////////////////////////////////////
  /////////////////////////////////////////////////////////9dQLDM0ODEAAAAA
`)

/** `zstd --check`: content size and checksum. */
export const ZSTD_SAMPLE = fromBase64(`
  KLUv/aR0eQMAXAQAEgwXC7C1DWbbS41ZSeYBC5zZmauzmbsKoHIEyQvKjJErZCF3GDYLWuLslmyXtivEprSOqMcwA7gEXNBJegFdQjPwkUfwdabMFeSSTCK3dnWT
  e7Ij9sLsxTuT3F3zHQEQAAD/AJseZ5hUtRrUspsrtpZrtjdhqw+21rA9gi3bY0WOvWmsccUqvK3BDE0AAAg5AQBweTkQAtsw/AA=
`)

/** `zstd --no-check < file`: neither content size nor checksum, as streaming writers leave it. */
export const ZSTD_STREAMED_SAMPLE = fromBase64(`
  KLUv/QBY/AMA0s8cC7C1DWbdQgtbSeYBC5VLIlcpk0wehkwrXhF4A/AF8Yjhi/KG8Apy2vgwOEntatglsBdoR9AeZ7fdRbKpuIfcNNsVYpexR3VEvYYbwEUwAXpI
  E5iLc0Nfe0QfyaVcgdPwIafaRbvd447YC5euTvJw2nXfEQEAfYB/gHxJAU0AAAg5AQBweTkQAg==
`)

function fromBase64(text: string): Buffer {
  return Buffer.from(text, 'base64')
}
