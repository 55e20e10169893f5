"""First names that children in English-speaking schools have, and capitalised words that are none.

Written from common knowledge, not taken from a lesson. A name that is also an ordinary word (Will,
Grace, Mark) counts only where it is used as a name.
"""

from typing import Final

FIRST_NAMES: Final = frozenset(
    """
    aaliyah aaron abby abdul abdullah abigail abraham ada adam addie addison adele adrian
    adriana ahmed aidan aiden aisha aiyana akira alan alana albert alec alejandra alejandro alex
    alexa alexander alexandra alexia alexis alfred ali alice alicia alina alisha alison alissa
    aliyah allan allen allison ally alma alondra alvaro alyssa amanda amari amber amelia amina
    amir amira amy ana anaya andre andrea andreas andres andrew andy angel angela angelica
    angelina angelo angie anita ann anna annabel annabelle anne annie ansel anthony antoine
    antonio anya april ariana arianna ariel arjun arlo armando arnav art arthur arturo arya
    asher ashley ashton asia astrid athena aubree aubrey audrey august aurora austin autumn ava
    avery axel ayaan ayden ayesha bailey barbara beatrice beatriz becca becky belinda bella ben
    benjamin bennett bernard beth bethany betty beverly bianca bill billy blake bob bobby bonnie
    brad braden bradley brady brandon brayden breanna brenda brendan brenna brent brett brian
    briana brianna bridget brittany brody bronson brooke brooklyn bruce bryan bryce bryson byron
    caden caitlin caleb callie callum calvin camden cameron camila camilla camille carina carl
    carla carlos carly carmen carol carolina caroline carrie carson carter casey cassandra
    cassidy cassie catalina catherine cathy cayden cecilia cedric celeste celia cesar chad
    chance chandler charity charles charlie charlotte chase chelsea cheryl chloe chris christian
    christina christine christopher cindy claire clara clarence clarissa clark claudia clay
    clayton clement cliff clyde cody colby cole colin colleen collin colton connie connor conor
    corbin corey corinne cory courtney craig cristian cristina crystal curtis cynthia cyrus
    daisy dakota dale dalia dallas dalton damian damien damon dan dana daniel daniela danielle
    danny dante daphne darius darren daryl dave david dawson dayana dean deandre deanna debbie
    deborah delaney delilah denise dennis derek derrick desiree destiny devin devon diana diane
    diego dillon dina dmitri dominic dominique donald donna donovan dora doris dorothy doug
    douglas drew duncan dustin dylan easton eddie eden edgar edith eduardo edward edwin eileen
    elaina elaine eleanor elena eli eliana elias elijah elisa elise eliza elizabeth ella ellen
    ellie elliot elliott ellis elsa elsie emelia emerson emilia emiliano emilio emily emma
    emmanuel emmett enrique eric erica erick erik erika erin ernesto esmeralda esteban estella
    esther ethan eugene eva evan eve evelyn everett ezekiel ezra faisal faith farah fatima
    felicia felipe felix fernanda fernando finn fiona frances francesca francis francisco frank
    frankie fred freddie frederick gabby gabe gabriel gabriela gabriella gael gage gail gareth
    garrett gary gavin gemma genesis george georgia gerald gerardo gianna gilbert gina giovanni
    gisele giselle glen gloria gordon grace grady graham grant grayson greg gregory greta
    griffin guadalupe guillermo gustavo gwen hadley hailey haley hamza hana hannah harley harold
    harper harriet harrison harry harvey hassan hayden hazel heather hector heidi helen helena
    henry herbert holden holly hope hudson hugo hunter ian ibrahim ida ignacio imani imran ines
    ingrid irene iris isaac isabel isabela isabella isabelle isaiah isla ismael israel ivan ivy
    izzy jace jack jackie jackson jacob jacqueline jacquelyn jada jade jaden jahmal jaiden jaime
    jake jalen jamal james jameson jamie jamila jan jane janelle janet janice jared jasmin
    jasmine jason jasper javier jax jaxon jay jayda jayden jayla jaylen jean jeff jeffrey jen
    jenna jennifer jenny jeremiah jeremy jerome jerry jesse jessica jessie jesus jill jillian
    jim jimena jimmy joan joanna joaquin jocelyn jodie joe joel joey johan johanna john
    johnathan johnny jon jonah jonathan jordan jordyn jorge jose joseph josephine josh joshua
    josie josue journey joy joyce juan juana juanita jude judith judy julia julian juliana
    julianna julie juliet julio julius justin justine kaden kai kaitlyn kaleb kamila kara kareem
    karen karina karla kate katelyn katherine kathleen kathryn kathy katie katrina kaya kayden
    kayla kaylee keira keith kelly kelsey ken kendall kendra kenneth kenny keon kevin khalid
    khalil khloe kiara kieran kim kimberly kira kirsten kobe kristen kristin kristina kristopher
    krystal kurt kyla kyle kylie kyra lacey laila lamar lana landon lara larissa larry latoya
    laura lauren lawrence layla leah leandro lee leia leila lena leo leon leonard leonardo leroy
    leslie leticia levi lewis liam libby lila liliana lilith lillian lilly lily lina linda
    lindsay lindsey lionel lisa livia liz lizzie lloyd logan lola lorena lorenzo louis louisa
    louise luca lucas lucia lucinda lucy luis luisa luke luna luz lydia lyle lynn mackenzie
    maddie maddy madeline madelyn madison maeve maggie mahmoud maia makayla malachi malcolm
    malia malik mandy manuel mara marc marcel marcia marco marcos marcus margaret margarita
    margo maria mariah mariam marian mariana marie marilyn marina mario marisa marisol marissa
    marjorie mark marlene marlon marquis marsha marshall martha martin martina marvin mary
    maryam mason mateo mathew matilda matt matteo matthew matty maureen maurice mauricio
    maverick max maxim maximus maxine maxwell maya mckenzie megan mehmet mei melanie melina
    melissa melody mercedes meredith mia micah michael michaela micheal michelle miguel mika
    mikayla mike mila milan milena miles milin millie milo mina mindy miranda miriam missy
    mitchell mohamed mohammad mohammed moises molly mona monica morgan morris moses muhammad
    mustafa mya myles myra nadia naima nancy naomi natalia natalie natasha nate nathan nathaniel
    neil nelson nevaeh nia nicholas nick nicky nicolas nicole nina noah noel noelle noemi nolan
    nora norma norman olive oliver olivia ollie omar omari orlando oscar otto owen pablo paige
    pamela paola parker pat patricia patrick paul paula paulina pauline payton pearl pedro peggy
    penelope penny perla pete peter peyton philip phillip phoebe pierre piper polly porter
    precious preston priscilla priya quentin quincy quinn quinton rachael rachel rafael rahul
    ralph ramiro ramon ramona randall randy raquel rashad raul raven ravi ray raymond reagan
    rebecca reed reese regina reid renata rene renee rhys ricardo richard rick ricky riley rita
    river rob robbie robert roberta roberto robin robyn rocco rochelle roderick rodney rodrigo
    rogelio roger rohan roland roman romina ron ronald ronan ronnie rory rosa rosalie rosie ross
    rowan roxanne roy ruben ruby rudy russell ruth ryan ryder rylan rylee sabrina sadie saif
    salma salvador sam samantha samara sami samir sammie sammy samson samuel sandra sandy
    santiago santino sara sarah sasha saul savannah sawyer scarlett scott sean sebastian selena
    selina serena serenity sergio seth shania shannon sharon shaun shawn shayla sheila shelby
    shelia shelley shelly sheri sherry shirley sidney sienna sierra silas silvia simon simone
    sky skyler sofia sonia sonya sophia sophie spencer stacey stacy stanley stella stephan
    stephanie stephen sterling steve steven stewart stuart sue summer susan susana susie suzanne
    sydney sylvia talia tamara tamika tania tanisha tanner tanya tara tariq tatiana taylor ted
    teresa terrance terrell terrence terry tess tessa thalia thea theo theodore theresa thomas
    tiana tiffany tim timmy timothy tina tobias toby todd tom tommy tony tonya tracey tracy
    travis trent trenton trevor trey trinity tristan troy tucker tyler tyrell tyrone tyson uma
    valentina valeria valerie vance vanessa vera vernon veronica vicky victor victoria vijay
    vincent violet virginia vivian vladimir wade walker walter wanda wayne wendy wesley weston
    whitney wilfred will willa william willie willow wilson winston wyatt xander xavier ximena
    yadira yahir yasmin yasmine yolanda yosef yusuf yvette yvonne zach zachary zack zahra zain
    zander zane zara zayden zayne zion zoe zoey zuri
    """.split()
)

WORD_NAMES: Final = frozenset(
    """
    april art august autumn bill chance chase dawn drew faith grace grant hope joy june mark may
    ray river rose sky sue summer will
    """.split()
)
"""First names that are words, whether or not the lesson writes them small."""

NO_NAMES: Final = frozenset(
    """
    about above absolutely academy actually acute add addend addends adjacent africa african
    after afternoon again agree agreed aha ahead ahh ahhh align all almost already alright also
    although always amazing america american amigos and angle angles another answer answers any
    anybody anyone anything anyway apples approximately archimedes are area array arrays asian
    ask assistance audio australia avenue awesome axis back base bases basically beautiful
    because before below best better bigger biggest binomial bless blue boards bonjour boom
    borrow bottom boy boys bravo break breakfast brilliant bring british brown building but bye
    cake calculators california camera can canada candy captain careful cause celsius center
    centimeters central cents changed chapter check china chinese christmas chromebook
    chromebooks circle circles circumference city class classroom close closed closer
    coefficient coefficients cold column columns come comments compare conclusion cone congrats
    congratulations congruent constant conversely convert cookies cool coordinate coordinates
    corner correct correctly could counterexample country county cube cubed cubes cylinder dang
    darn data day dear decagon december decimal decimals decreasing deeper definitely degree
    degrees denominator depth descartes describe diagonal diameter did different digit digits
    dilation dime dimes dinner disagree distance divide dividend division divisor do does dollar
    dollars domain don done dot dots down draw dude each ears earth east easter easy edge edges
    eek eight eighteen eighth eighths eighty einstein either eleven else email end english
    entertain equal equals equation equations equivalent erase errors estimate estimation euclid
    europe european even evening event events eventually every everybody everyone everything
    evidence exactly exam example examples excellent excuse explain exponent exponents
    expression expressions eyes face faces factor factorial factors fahrenheit false fantastic
    far farther farthest faster february feet fewer fewest fifteen fifth fifths fifty finally
    find fine fingers finished first five flip focus for formula formulas forty four fourteen
    fourth fourths fraction fractions french friday friends from front function functions
    further gentlemen geometry german get girl girls give god going good goodbye goodness google
    gosh got gracias grade grades graph graphs great greater greatest greek green group groups
    guess guys had haha half halloween halves hands have heavens heavier heaviest heavy height
    hello help heptagon here hers hexagon hey higher him his hmm hola hold home homework
    honestly hooray hopefully horizontal hot how however huh hum hundred hundredths hurry
    hypothesis idea identity if image imagine impossible improper inaudible inches increasing
    indeed india indian inequalities inequality infinitely input inputs inside instead integer
    integers interesting internet intersect intersecting intersection into is island it january
    japan jeez july june just kay keep kids kindergarten kudos label labels ladies lake larger
    largest last lastly later laughter left leftover leftovers length less lesson let light
    lighter lightest like likely line linear lines listen little london longer longest look lord
    lots louder love lovely lower lunch man many marbles march markers math mathematicians
    mathematics maths may maybe mean measure median meters mexican mexico mhm microphone middle
    might mine minus miss mister mmm mode model models mom monday money monomial month moon more
    morning most mostly mother move mr mrs much muffins multiple multiples multiplication
    multiplier multiply music must nah name near nearest negative neither never nevermind new
    newest newton next nice nickel nickels night nine nineteen ninety ninth nobody none noon
    nope nor north not note notebook notebooks nothing notice november now number numerator
    observation observe obtuse obviously ocean octagon october odd off ohh okay oldest once one
    ones only ooh oooh oops open opposite orange oranges order origin original originally other
    otherwise ouch our out outcome outcomes output outputs outside over overall page pages pair
    pairs papa paper papers parabola parallel pardon parenthesis paris part partial partner
    partners pascal pattern patterns pause pencil pencils pennies pentagon people per percent
    percents perfect perhaps perimeter period perpendicular phew phone pi pick picture pictures
    pizza planet planets please plot plus point points polygon polygons polynomial positive
    possible power powers predict prediction pretty prime prism probability probably process
    product products proof proofs property proportion proportions prove put pyramid pythagoras
    pythagorean quadratic quadrilateral quarter quarters question questions quick quickly quiet
    quite quiz quotient radius raise random range rate rates ratio ratios rays read ready real
    really recess rectangle rectangles red reduce reflection remainder remember representation
    results review reward rhombus right rise root roots rotation round row rows rule ruler rules
    run same sample saturday say scale science screen second see september seriously set sets
    seven seventeen seventh seventy several shapes shares she shh shorter shortest should
    shoulders show shush side sides silence silent similar similarly simplify since sir sit six
    sixteen sixth sixths sixty skittles slope slower smaller smallest smart softer solution
    solutions solve solving some somebody someone something sometimes soon sorry south space
    spanish sphere square squared squares stand start starters state states step stop straight
    strategies strategy street student students subset substitute subtract subtraction such sum
    sums sunday super suppose sure survey sweet sweetie symmetrical symmetry table tables take
    talk taller tallest teacher team teammate teammates technically ten tens tenth tenths term
    terms terrific test tests texas than thank thanks thanksgiving that the their them then
    theorem theorems there therefore these they thing things think third thirds thirteen thirty
    this those though thought thousand thousandths three through thumbs thursday time times
    today together tomorrow tonight tooth top total totally touch tower town trade
    transformation translation transmission trapezoid triangle triangles trick tricky trinomial
    true try tuesday turn twelve twenty twice two ugh uhm umm under underline understand
    unfortunately union unit united unless until upper upside use usually value variable
    variables vertex vertical vertices very video virtual visual visuals vocabulary volume wait
    walk warm was watch water way website wednesday week weekend weird welcome well were west
    what whatever when whenever where whether whew which while white whiteboard who whoa whoever
    whole whoops whose why wide wider widest width will with without wonder wonderful word words
    work worse worst would wow write wrong yay yea yeah yellow yep yes yesterday yet yikes york
    you youngest your yours yourself yup zero zoom
    """.split()
)
"""Lower case; what stands capitalised in a transcript without being a person here."""
