"""Point indices of the parts of a face in the 478-point mesh.

The numbering is that of the teacher's mesh: 468 points on skin and lips, then five for each iris (centre first).
"Right" and "left" are the subject's own; the subject's right eye is on the left of an unmirrored picture.
"""

POINT_COUNT = 478
SKIN_COUNT = 468

RIGHT_EYE_OUTER, RIGHT_EYE_INNER = 33, 133
LEFT_EYE_INNER, LEFT_EYE_OUTER = 362, 263
MOUTH_RIGHT, MOUTH_LEFT = 61, 291
NOSE_TIP, CHIN, FOREHEAD = 4, 152, 10
RIGHT_IRIS, LEFT_IRIS = (468, 469, 470, 471, 472), (473, 474, 475, 476, 477)

# Lid contours run from the outer corner to the inner one, corners excluded; upper and lower points correspond.
RIGHT_LID_UPPER = (246, 161, 160, 159, 158, 157, 173)
RIGHT_LID_LOWER = (7, 163, 144, 145, 153, 154, 155)
LEFT_LID_UPPER = (466, 388, 387, 386, 385, 384, 398)
LEFT_LID_LOWER = (249, 390, 373, 374, 380, 381, 382)

RIGHT_EYE = (RIGHT_EYE_OUTER, *RIGHT_LID_UPPER, RIGHT_EYE_INNER, *reversed(RIGHT_LID_LOWER))
LEFT_EYE = (LEFT_EYE_OUTER, *LEFT_LID_UPPER, LEFT_EYE_INNER, *reversed(LEFT_LID_LOWER))

# Lips run from the subject's right corner to the left one; upper and lower points of a ring correspond.
LIP_INNER_UPPER = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LIP_INNER_LOWER = (95, 88, 178, 87, 14, 317, 402, 318, 324)
LIP_OUTER_UPPER = (185, 40, 39, 37, 0, 267, 269, 270, 409)
LIP_OUTER_LOWER = (146, 91, 181, 84, 17, 314, 405, 321, 375)
LIP_INNER = (78, *LIP_INNER_UPPER, 308, *reversed(LIP_INNER_LOWER))
LIP_OUTER = (MOUTH_RIGHT, *LIP_OUTER_UPPER, MOUTH_LEFT, *reversed(LIP_OUTER_LOWER))

# The rim of the mesh, clockwise in the picture from the top of the forehead.
FACE_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)

# Points that expression hardly moves: they determine the pose.
STABLE = (
    *(10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 67, 109, 108, 338, 297, 337, 33, 133, 362, 263),
    *(127, 234, 93, 356, 454, 323, 162, 389, 21, 251, 54, 284, 103, 332, 48, 278, 115, 344, 131, 360, 122, 351),
)

# The 68-point convention of 300-W, as the nearest points of the mesh: jaw 17, brows 10, nose 9, eyes 12, lips 20.
SIXTY_EIGHT = (
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),
    *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301),
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
    *(78, 82, 13, 312, 308, 317, 14, 87),
)
