"""The observation record as a file that a person fills in."""

TEMPLATE = """\
# An observation of an occultation, for umbra report. Lines that begin with # say nothing: take the # away
# from those that you state. What is left out stays empty in the forms and is listed; nothing is invented.
# Times are UTC and end with Z. What umbra reduce has found (times, D and R, exposure) need not be repeated.

# status = "positive"       # positive, negative, overcast, technical failure, unknown, planned
# date = 2026-03-11         # UTC
# snr = 8.5                 # of one sample, out of the event
# altitude_of = "ellipsoid" # or "sea level": what altitude_m is counted from
# reduction_software = "Umbra"
# caveats = ["time-meaning-assumed: nobody says what the stamps mean"]
# comments = "only what matters"

[asteroid]
# number = "928"
# name = "Hildrun"
# diameter_km = 66.0
# diameter_sigma_km = 3.0
# magnitude = 15.7

[star]
# catalogue = "UCAC4"
# designation = "350-187717"
# ra = "20 13 45.123"       # hours; or ra_deg = 303.438
# dec = "-00 06 40.12"      # or dec_deg = -0.1111444
# apparent_ra_deg = 303.79  # of date
# apparent_dec_deg = -0.03
# magnitude = 12.3
# gaia_id = "4179586373926412160"
# diameter_mas = 0.02
# ruwe = 0.95               # Gaia's: above 1.4 the star's place is doubtful

[prediction]
# utc = "2026-03-11T20:03:31Z"
# duration_s = 4.2
# source = "JPL#61 with Gaia DR3"

# [[observers]]             # one block each; the first reports
# name = "Wilhelm Herschel" # given name, then family name
# e_mail = "w.herschel@example.org"
# address = "mystreet 5, 12345 MyCity"
# city = "MyCity"
# state = "BE"
# country = "DE"
# phone = "+49 30 123456"
# affiliation = "IOTA-ES"
# orcid = "0000-0002-1825-0097"

[site]                      # WGS84
# latitude = "+52 58 48.5"  # or latitude_deg = 52.98014; north positive
# longitude = "+013 22 13.7" # or longitude_deg = 13.37047; east positive
# altitude_m = 37.4
# name = "Berlin"           # nearest town
# code = "244"              # observatory code, where it has one

[telescope]
# type = "schmidt-cassegrain" # refractor, newtonian, dobsonian, binoculars, other, none, evscope
# model = "C14"
# aperture_cm = 36
# focal_length_cm = 277     # or focal_ratio
# focal_ratio = 7.7
# mount = "equatorial"
# drive = "yes"

[recording]
# started = "2026-03-11T20:01:34.99Z"
# stopped = "2026-03-11T20:05:34.01Z"
# interrupted = [["2026-03-11T20:02:00Z", "2026-03-11T20:02:05Z"]]
# camera = "QHY174M-GPS"
# detector = "IMX174"
# video_format = "SER"
# exposure_s = 0.1
# cadence_s = 0.1
# integrated_frames = 1
# filter = "none"
# method = "video"          # dslr video, photometer, sequential images, drift scan, visual, other
# time_source = "gps"       # ntp, telephone, radio, internal clock, stopwatch, other
# timing_device = "camera's own GPS"
# recorder = "SharpCap 4.1"
# software = "SharpCap 4.1"

[conditions]
# transparency = "clear"    # fog, thin cloud, thick cloud, broken cloud, star faint, averted vision
# stability = "steady"      # slight flickering, strong flickering
# clouds = "none"
# wind = "0"
# temperature_c = 22.0
# limiting_magnitude = 15.5
# body_visible = false

# Events, only where they come from elsewhere than umbra reduce; one block each.
# [[timings]]
# component = "main star"   # second star; satellite; satellite, second star; ring
# depth = 0.95
# depth_sigma = 0.02
# snr = 12.0
# model = "square"
# d = { utc = "2026-03-11T20:02:30.012Z", sigma_s = 0.021 }
# r = { utc = "2026-03-11T20:02:34.034Z", intervals_s = [[0.02, 0.02], [0.04, 0.05], [0.07, 0.09]] }

# Corrections that those times already contain.
# [[corrections]]
# what = "camera"
# value_s = -0.02
# sigma_s = 0.001
# source = "measured with an LED"
# included = false
"""
